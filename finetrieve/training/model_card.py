"""The model card."""

from __future__ import annotations

import re
from pathlib import Path

from finetrieve.core.training_record import TrainingRecord

_PUBLISHED = {"embedded": "sentence-transformers/all-MiniLM-L6-v2"}
"""The Hub ids of base models that come with the installation."""
_HEADER = re.compile(r"\A---\n(.*?)\n---", re.DOTALL)
_LICENCE = re.compile(r"^license: *([\w.-]+) *$", re.MULTILINE)


def model_card(record: TrainingRecord, base: str) -> str:
    """Returns the README of a trained model: what it is, how it was trained, how to use it in both ways.

    Args:
        record: The training record.
        base: Directory or Hub id of the base model; only a Hub id is named as such.
    """
    header = ["---", "library_name: sentence-transformers", "pipeline_tag: sentence-similarity", "tags: [finetrieve, retrieval]"]
    published = _PUBLISHED.get(str(record.base_model)) or ("" if _is_directory(base) else base)
    header += [f"base_model: {published}"] if published else []
    licence = licence_of(base)
    header += [f"license: {licence}"] if licence else []
    assert record.chosen is not None
    return "\n".join(
        [
            *header,
            "---",
            "",
            "# A retrieval model for one body of documentation",
            "",
            f"Fine-tuned by Finetrieve from `{record.base_model}` on {record.n_pairs:,} query-chunk pairs "
            f"({record.n_chunks:,} chunks): {record.steps:,} steps of {record.batch_size} chunks, "
            f"loss `{record.loss_name}` under Matryoshka. "
            f"{_who_chose(record)} step {record.chosen.step:,} and {record.chosen.base_share:.0%} of the base model's weights.",
            "",
            "A chunk is embedded as `title > section`, a line break, and its text; a query as it is.",
            "",
            "One vector per text:",
            "",
            "```python",
            "from sentence_transformers import SentenceTransformer",
            'model = SentenceTransformer("path/to/model")',
            'scores = model.similarity(model.encode_query(["how do I ..."]), model.encode_document(["Title > Section\\ntext"]))',
            "```",
            "",
            "A vector per token, compared by late interaction (`late/` is written by `--out` and `models export`; its card names "
            "the field that search engines want):",
            "",
            "```python",
            "from sentence_transformers import MultiVectorEncoder",
            'model = MultiVectorEncoder("path/to/model/late")',
            'scores = model.similarity(model.encode_query(["how do I ..."]), model.encode_document(["Title > Section\\ntext"]))',
            "```",
            "",
        ]
    )


def licence_of(base: str) -> str:
    """Returns the licence that a base model's own card names, or nothing."""
    card = Path(base) / "README.md"
    header = _HEADER.match(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None
    licence = _LICENCE.search(header.group(1)) if header else None
    return licence.group(1) if licence else ""


def _is_directory(base: str) -> bool:
    return base.startswith("/") or Path(base).is_dir()


def _who_chose(record: TrainingRecord) -> str:
    by = {
        "human": "Questions of people chose",
        "own": "Pairs that somebody had chose",
        "generated": "Generated dev queries chose",
        "none": "Without dev queries the rule took",
    }
    return by.get(str(record.dev_is), "Dev chose")
