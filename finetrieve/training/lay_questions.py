"""Our own questions in lay words: some are practised in training, others choose how much of the base model stays.

None of them is about the documents. They keep a model's understanding of meaning while it learns the documents' words:
generated queries share words with their chunks, so nothing in them would miss it. The set that says in the end whether a model
fell (`finetrieve.evaluation.guard`) is another one and takes no part in training.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from finetrieve.evaluation.guard import LayQuestions

FOLDER = Path(__file__).parent / "lay_pairs"
DEV_SHARE = 0.25
"""Of the pairs, by a hash of the question: they choose, and are not trained on."""

Pairs = tuple[tuple[str, str], ...]
"""(question, passage) each."""


@cache
def _split() -> tuple[Pairs, Pairs]:
    rows = [json.loads(line) for path in sorted(FOLDER.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines() if line]
    pairs = [(row["query"], f"{row['title']}\n{row['text']}") for row in rows]
    chosen = [int.from_bytes(hashlib.sha256(query.encode()).digest()[:8]) / 2**64 < DEV_SHARE for query, _ in pairs]
    sides = [tuple(pair for pair, is_dev in zip(pairs, chosen, strict=True) if is_dev == wanted) for wanted in (False, True)]
    return sides[0], sides[1]


def practised_pairs() -> Pairs:
    """Returns the questions with their passages that training practises."""
    return _split()[0]


def choosing_questions() -> LayQuestions:
    """Returns the questions that choose how much of the base model stays."""
    pairs = _split()[1]
    return LayQuestions([query for query, _ in pairs], [text for _, text in pairs], [[row] for row in range(len(pairs))])
