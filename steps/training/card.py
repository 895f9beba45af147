"""The model card."""

from __future__ import annotations

from typing import Any


def model_card(record: dict[str, Any], base: str) -> str:
    """Returns the README of a trained model: what it is, how it was trained, how to use it.

    Args:
        record: The training record.
        base: Directory or Hub id of the base model; only a Hub id is named as such.
    """
    header = ["---", "library_name: sentence-transformers", "pipeline_tag: sentence-similarity", "tags: [finetrieve, retrieval]"]
    if not base.startswith("/"):
        header.append(f"base_model: {base}")
    chosen = record["chosen"]
    return "\n".join(
        [
            *header,
            "---",
            "",
            "# A retrieval model for one body of documentation",
            "",
            f"Fine-tuned by Finetrieve from `{record['base_model']}` on {record['n_pairs']:,} query-chunk pairs "
            f"({record['n_chunks']:,} chunks): {record['steps']:,} steps of {record['batch_size']} chunks, "
            f"loss `{record['loss_name']}` under Matryoshka. "
            f"Dev chose step {chosen['step']:,} and {chosen['base_share']:.0%} of the base model's weights.",
            "",
            "A chunk is embedded as `title > section`, a line break, and its text; a query as it is.",
            "",
            "```python",
            "from sentence_transformers import SentenceTransformer",
            "",
            'model = SentenceTransformer("path/to/this/directory")',
            'scores = model.similarity(model.encode(["how do I ..."]), model.encode(["Title > Section\\ntext"]))',
            "```",
            "",
        ]
    )
