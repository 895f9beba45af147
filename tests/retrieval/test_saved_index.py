from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, embedded_text
from finetrieve.retrieval.fusion import Fusion
from finetrieve.retrieval.hybrid_index import build_index
from finetrieve.retrieval.saved_index import read_index, save_index
from finetrieve.retrieval.search import Searcher, search
from finetrieve.retrieval.vector_cache import CachedEmbedder
from tests.training.conftest import tiny_model  # noqa: F401  # a fixture

CHUNKS = [
    Chunk(f"c{row}", f"{word}.md", f"{word}.md", word.title(), "", f"The {word} has a {colour} button.", 9, 0)
    for row, (word, colour) in enumerate([("pump", "green"), ("door", "red"), ("lamp", "blue")])
]


@pytest.mark.slow
def test_a_saved_index_answers_as_the_one_that_was_saved(
    tiny_model: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fusion = Fusion(dense=0.5, late=1.0, lexical=2.0, chosen_on="human dev")
    texts = [embedded_text(chunk) for chunk in CHUNKS]
    searcher = Searcher(build_index(texts, CachedEmbedder(tiny_model), with_tokens=True), fusion)
    folder = tmp_path / "index"
    save_index(folder, CHUNKS, searcher, tiny_model, {"name": "docs:1"})
    save_index(folder, CHUNKS, searcher, tiny_model, {"name": "docs:2"})  # our own is replaced
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "index"]

    read = read_index(folder)
    assert (read.chunks, read.searcher.fusion, read.facts) == (CHUNKS, fusion, {"name": "docs:2"})
    assert isinstance(read.searcher.index.vectors, np.memmap)
    for question in ("where is the red button?", "dim the lamp"):
        assert search(read.searcher, read.chunks, question, 3) == search(searcher, CHUNKS, question, 3)
    assert search(read.searcher, read.chunks, "the red button", 1)[0].document == "door.md"

    (folder / "index.json").write_text(json.dumps({**json.loads((folder / "index.json").read_text()), "format": 99}))
    with pytest.raises(InputError, match=r"^The index in .* was written by another version"):
        read_index(folder)
    save_index(folder, CHUNKS, searcher, tiny_model, {})
    (folder / "vectors.npy").write_bytes(b"half")
    with pytest.raises(InputError, match="damaged"):
        read_index(folder)
    with pytest.raises(InputError, match="no index"):
        read_index(tmp_path)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("mine")
    (foreign / "index.json").write_text('{"pages": 3}')
    with pytest.raises(InputError, match="is no index"):
        save_index(foreign, CHUNKS, searcher, tiny_model, {})
    assert (foreign / "notes.txt").read_text() == "mine"
