"""Search of a corpus, for passages or whole pages: BM25 and the vectors of a model together, by several models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from finetrieve.core.rows import Chunk
from finetrieve.retrieval.fusion import Fusion, fuse
from finetrieve.retrieval.hybrid_index import SearchIndex
from finetrieve.retrieval.units import Units


@dataclass(frozen=True)
class Hit:
    """A chunk that was found."""

    rank: int
    """1 is the best."""
    chunk: Chunk
    score: float
    """Of all parts together; only comparable within one answer."""
    cosine: float | None
    """Of query and chunk, -1..1; None where the single vectors do not count."""
    bm25: float | None
    """0 where they share no word; None where words do not count."""
    late: float | None = None
    """MaxSim of query and chunk, -1..1; None where the token vectors do not count."""

    @property
    def document(self) -> str:
        """The id of the chunk's document: its path inside the folder, or its row's id."""
        return self.chunk.doc_id


@dataclass(frozen=True)
class Searcher:
    """A model that searches: its index of the chunks, and how the parts of a score add up."""

    index: SearchIndex
    fusion: Fusion


class SearchableCorpus:
    """Chunks that several models search, each in its own way."""

    def __init__(self, chunks: Sequence[Chunk], searchers: Mapping[str, Searcher]) -> None:
        self._chunks, self._searchers = chunks, searchers

    def __len__(self) -> int:
        return len(self._chunks)

    @property
    def searchers(self) -> Mapping[str, Searcher]:
        """Name -> the model with its index of the chunks."""
        return self._searchers

    def search(self, query: str, k: int, *, pages: bool = False) -> dict[str, list[Hit]]:
        """Returns name -> the k best chunks, or with `pages` documents, by that model, as `search` finds them."""
        units = self._pages if pages else None
        return {name: search(searcher, self._chunks, query, k, units) for name, searcher in self._searchers.items()}

    @cached_property
    def _pages(self) -> Units:
        return pages_of(self._chunks)


def pages_of(chunks: Sequence[Chunk]) -> Units:
    """Returns the documents that chunks belong to."""
    return Units.of([chunk.doc_id] for chunk in chunks)


def search(searcher: Searcher, chunks: Sequence[Chunk], query: str, k: int, pages: Units | None = None) -> list[Hit]:
    """Returns the k best chunks by one model, the best first, ties in the chunks' order.

    Args:
        searcher: The model.
        chunks: What it searches.
        query: What is asked.
        k: How many are wanted.
        pages: The documents of the chunks, to rank these, as the evaluation does; each hit is a document's best chunk with the
            document's score.
    """
    parts = searcher.index.parts(searcher.index.prepare([query]))  # each (1, n_chunks)
    scores = fuse(parts, searcher.fusion)[0]
    order: npt.NDArray[np.int64] = np.argsort(-scores, kind="stable")[:k]
    if pages is not None:
        by_page = fuse(pages.parts(parts, searcher.fusion), searcher.fusion)[0]
        first = np.argsort(-by_page, kind="stable")[:k]
        order = pages.best_chunks(scores[None], first[None])[0]
        scores[order] = by_page[first]
    by_part = {"dense": parts.dense, "lexical": parts.lexical, "late": parts.late}
    counted = [matrix if searcher.fusion.weights[part] else None for part, matrix in by_part.items()]
    return [
        Hit(rank, chunks[row], float(scores[row]), *(None if matrix is None else float(matrix[0, row]) for matrix in counted))
        for rank, row in enumerate(order, 1)
    ]
