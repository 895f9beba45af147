"""The base model's search of a whole corpus before any training, which filters and teachers ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from finetrieve.core.corpus import Corpus
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.hybrid_index import Queries, SearchIndex, build_index
from finetrieve.retrieval.vector_cache import CachedEmbedder

MOST_WITH_TOKENS = 20_000
"""Chunks up to which their token vectors are made and compared; a larger corpus may never be evaluated on this machine."""
QUERY_BLOCK = 256
"""Queries scored at once: bounds the score matrix to QUERY_BLOCK x n_chunks."""


class BaseSearch:
    """Late interaction, the single vector and BM25 over a corpus, which is encoded when it is first asked.

    Args:
        corpus: What is searched.
        base_model: `embedded`, a directory or a Hub id.
    """

    def __init__(self, corpus: Corpus, base_model: str) -> None:
        self._corpus, self._base_model = corpus, base_model

    @cached_property
    def index(self) -> SearchIndex:
        """The index of the corpus, with token vectors up to MOST_WITH_TOKENS chunks."""
        texts, lexical = list(self._corpus.texts()), Bm25.of_chunks(self._corpus.chunk_rows())
        few = len(texts) <= MOST_WITH_TOKENS
        embedder = CachedEmbedder(self._base_model, precision="auto")
        return build_index(texts, embedder, bm25=lexical, with_tokens=few, precision="auto")

    def blocks(self, queries: Sequence[str]) -> Iterator[tuple[slice, Queries]]:
        """Yields which queries a block has, and these made ready for the index."""
        prepared = self.index.prepare(queries)
        for start in range(0, len(queries), QUERY_BLOCK):
            block = slice(start, min(start + QUERY_BLOCK, len(queries)))
            yield block, prepared.part(block.start, block.stop)
