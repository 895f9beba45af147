"""The model card: what a trained model is, how it was trained, how to use it, and the fields that the Hub reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from finetrieve.core.training_record import BaseModelCard, TrainingRecord

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

_TAGS = ("finetrieve", "sentence-transformers", "sentence-similarity", "feature-extraction", "retrieval")
_USE = """A chunk is embedded as `title > section`, a line break, and its text; a query as it is.

One vector per text:

```python
from sentence_transformers import SentenceTransformer
model = SentenceTransformer("path/to/model")
scores = model.similarity(model.encode_query(["how do I ..."]), model.encode_document(["Title > Section\\ntext"]))
```

A vector per token, compared by late interaction (`late/` is written by `--out` and `models export`; its card names \
the field that search engines want):

```python
from sentence_transformers import MultiVectorEncoder
model = MultiVectorEncoder("path/to/model/late")
scores = model.similarity(model.encode_query(["how do I ..."]), model.encode_document(["Title > Section\\ntext"]))
```
"""


def model_card(record: TrainingRecord, name: str = "", results: Sequence[EvalResult] = (), measured: str = "") -> str:
    """Returns the README of a trained model.

    Args:
        record: The training record.
        name: What the model is called beside its results.
        results: What it scored, for the Hub.
        measured: The same for people, in Markdown; what is not known yet is left out.
    """
    return "\n".join(
        ["---", _header(record, name, results), "---", "", _training(record), "", _USE, *([measured] if measured else [])]
    )


def _header(record: TrainingRecord, name: str, results: Sequence[EvalResult]) -> str:
    from huggingface_hub import ModelCardData

    base = record.base or BaseModelCard()
    return ModelCardData(
        base_model=base.name or None,
        language=list(base.languages) or None,
        license=base.licence or None,
        library_name="sentence-transformers",
        pipeline_tag="sentence-similarity",
        tags=list(_TAGS),
        metrics=["ndcg"] if results else None,
        model_name=name or "model",
        eval_results=list(results) or None,
    ).to_yaml()


def _training(record: TrainingRecord) -> str:
    assert record.chosen is not None
    return "\n".join(
        [
            "# A retrieval model for one body of documentation",
            "",
            f"Fine-tuned by Finetrieve from `{record.base_words}` on {record.n_pairs:,} query-chunk pairs "
            f"({record.n_chunks:,} chunks): {record.steps:,} steps of {record.batch_size} chunks, "
            f"loss `{record.loss_name}` under Matryoshka{_teacher(record)}. "
            f"{_who_chose(record)} {_checkpoint(record)} and {record.chosen.base_share:.0%} of the base model's weights.",
        ]
    )


def _teacher(record: TrainingRecord) -> str:
    if not record.n_teacher_lists:
        return ""
    # The place where it lay on the machine that trained is nobody's business.
    name = Path(record.teacher or "").name if Path(record.teacher or "").is_absolute() else record.teacher
    return f", with the order that the cross-encoder `{name}` gave to lists of chunks for {record.n_teacher_lists:,} queries"


def _checkpoint(record: TrainingRecord) -> str:
    if not record.seeds:
        return f"step {record.chosen.step:,}" if record.chosen else ""
    steps = ", ".join(f"step {found.step:,} of seed {found.seed}" for found in record.seeds)
    return f"a checkpoint of each of {len(record.seeds)} trainings ({steps}), the mean of their weights"


def _who_chose(record: TrainingRecord) -> str:
    by = {
        "human": "Questions of people chose",
        "own": "Pairs that somebody had chose",
        "generated": "Generated dev queries chose",
        "none": "Without dev queries the rule took",
    }
    return by.get(str(record.dev_is), "Dev chose")
