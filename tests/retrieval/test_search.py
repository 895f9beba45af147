from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from steps.retrieval.fusion import Fusion
from steps.retrieval.search import KEPT_FILES, Corpus, Side, kept_vectors
from steps.rows import Chunk

TEXTS = ["pumps are cleaned with water", "valves are closed by hand", "doors are painted"]


def a_chunk(number: int) -> Chunk:
    return Chunk(f"c{number}", "doc", "doc.md", "", "", TEXTS[number], 5, number)


class Fixed:
    """An embedder whose vector of the query points at one chunk."""

    def __init__(self, row: int) -> None:
        self._row = row

    def embed(self, texts: Sequence[str], role: str) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[[self._row] * len(texts)]


def a_corpus(**fusions: Fusion) -> Corpus:
    vectors = np.eye(3, dtype=np.float32)
    return Corpus(
        [a_chunk(0), a_chunk(1), a_chunk(2)], {name: Side(Fixed(2), vectors, fusion) for name, fusion in fusions.items()}
    )


def test_each_side_adds_words_and_vectors_up_as_its_fusion_says() -> None:
    answers = a_corpus(dense=Fusion("z_score", 0.9), lexical=Fusion("z_score", 0.1)).ask("closed valves", 2)
    assert answers["dense"][0].chunk.id == "c2"
    assert answers["lexical"][0].chunk.id == "c1"
    best = answers["dense"][0]
    assert (best.rank, best.cosine, best.bm25) == (1, 1.0, 0.0)
    assert answers["lexical"][0].bm25 > 0
    assert [hit.rank for hit in answers["dense"]] == [1, 2]


def test_asking_for_more_than_there_is_returns_what_there_is() -> None:
    assert len(a_corpus(one=Fusion()).ask("anything", 50)["one"]) == 3


def test_texts_are_embedded_once_per_model_and_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    calls = []

    def embed(texts: Sequence[str]) -> np.ndarray:
        calls.append(len(texts))
        return np.ones((len(texts), 2), dtype=np.float32)

    first = kept_vectors(tmp_path, "model", TEXTS, embed)
    assert np.array_equal(kept_vectors(tmp_path, "model", TEXTS, embed), first)
    assert calls == [3]
    kept_vectors(tmp_path, "other model", TEXTS, embed)
    kept_vectors(tmp_path, "model", TEXTS[:2], embed)
    assert calls == [3, 3, 2]
    for path in tmp_path.iterdir():
        path.write_bytes(b"half")
    assert np.array_equal(kept_vectors(tmp_path, "model", TEXTS, embed), first)
    assert calls == [3, 3, 2, 3]


@pytest.mark.parametrize("models", [KEPT_FILES + 3])
def test_old_vectors_are_deleted(tmp_path: Path, models: int) -> None:
    for number in range(models):
        kept_vectors(tmp_path, f"model {number}", TEXTS, lambda texts: np.ones((len(texts), 2), dtype=np.float32))
    assert len(list(tmp_path.iterdir())) == KEPT_FILES
