from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from finetrieve.core.rows import Chunk
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.fusion import HYBRID, Fusion, fuse
from finetrieve.retrieval.hybrid_index import SearchIndex
from finetrieve.retrieval.search import SearchableCorpus, Searcher
from finetrieve.retrieval.units import Units

TEXTS = ["pumps are cleaned with water", "valves are closed by hand", "doors are painted"]


def a_chunk(number: int) -> Chunk:
    return Chunk(f"c{number}", "doc", "doc.md", "", "", TEXTS[number], 5, number)


class Fixed:
    """An embedder whose vector of the query points at one chunk."""

    def __init__(self, row: int) -> None:
        self._row = row

    def embed(self, texts: Sequence[str], role: str) -> np.ndarray:
        return np.eye(3, dtype=np.float32)[[self._row] * len(texts)]


def a_corpus(**fusions: Fusion) -> SearchableCorpus:
    index = SearchIndex(Bm25(TEXTS), Fixed(2), np.eye(3, dtype=np.float32))
    return SearchableCorpus(
        [a_chunk(0), a_chunk(1), a_chunk(2)], {name: Searcher(index, fusion) for name, fusion in fusions.items()}
    )


def test_each_side_adds_words_and_vectors_up_as_its_fusion_says() -> None:
    answers = a_corpus(dense=Fusion("z_score", 9, 0, 1), lexical=Fusion("z_score", 1, 0, 9)).search("closed valves", 2)
    assert answers["dense"][0].chunk.id == "c2"
    assert answers["lexical"][0].chunk.id == "c1"
    best = answers["dense"][0]
    assert (best.rank, best.cosine, best.bm25) == (1, 1.0, 0.0)
    assert answers["lexical"][0].bm25 > 0
    assert [hit.rank for hit in answers["dense"]] == [1, 2]


def test_a_part_without_weight_has_no_score_of_its_own() -> None:
    answers = a_corpus(vectors=Fusion(late=0, lexical=0), words=Fusion(dense=0, late=0)).search("closed valves", 1)
    [vectors], [words] = answers["vectors"], answers["words"]
    assert (vectors.cosine, vectors.bm25, vectors.late) == (1.0, None, None)
    assert (words.cosine, words.late) == (None, None)
    assert words.bm25 > 0


def test_asking_for_more_than_there_is_returns_what_there_is() -> None:
    assert len(a_corpus(one=HYBRID).search("anything", 50)["one"]) == 3


def test_pages_are_ranked_by_their_best_passage_and_a_little_of_all_and_shown_by_it() -> None:
    chunks = [replace(a_chunk(row), doc_id=page) for row, page in enumerate(["one", "two", "one"])]
    index = SearchIndex(Bm25(TEXTS), Fixed(0), np.array([[0.9, 0, 0.43], [0.9, 0.43, 0], [0.8, 0, 0.6]], np.float32))
    words_and_vectors = Fusion("z_score", 9, 0, 1)
    found = SearchableCorpus(chunks, {"model": Searcher(index, words_and_vectors)}).search("closed valves", 5, pages=True)[
        "model"
    ]
    assert [hit.document for hit in found] == ["two", "one"]
    assert [hit.chunk.id for hit in found] == ["c1", "c0"]  # each page once, by the passage that is nearest
    assert found[0].score > found[1].score
    units = Units.of([chunk.doc_id] for chunk in chunks)
    parts = units.parts(index.parts(index.prepare(["closed valves"])), words_and_vectors)
    assert [hit.score for hit in found] == pytest.approx(sorted(fuse(parts, words_and_vectors)[0], reverse=True))
