"""A small corpus with questions, and a version of it whose vectors are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetrieve.app.vector_index import Served
from finetrieve.core.rows import Chunk
from finetrieve.engines import vector_files
from finetrieve.engines.vector_files import Stored, StoredVectors
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.result import EvaluationResult
from tests.training.conftest import tiny_model  # noqa: F401  # a fixture

THINGS = ["pump", "door", "lamp", "radio", "kettle", "heater", "window", "clock", "stove", "chair", "fan", "mirror", "bell"]
COLOURS = ["green", "red", "blue", "grey", "white"]
CHUNKS = [
    Chunk(
        f"c{row}",
        f"{word}.md",
        f"{word}.md",
        word.title(),
        "",
        f"The {word} has a {COLOURS[row % 5]} button.",
        9,
        row // len(THINGS),
    )
    for row, word in enumerate(THINGS * 2)
]
QUESTIONS = {f"q{row}": f"where is the {word}'s button?" for row, word in enumerate(THINGS)}
EVAL_SET = EvalSet(
    "human",
    "human",
    QUESTIONS,
    {f"q{row}": {f"{word}.md": 1} for row, word in enumerate(THINGS)},
    "document",
    CHUNKS,
    len(THINGS),
)
BOTH = StoredVectors(Stored(16), Stored(16))


@pytest.fixture
def source(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:  # noqa: F811
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(vector_files, "CHUNKS_AT_ONCE", 10)  # three files
    return Served("docs:1", tiny_model, CHUNKS, EvaluationResult())
