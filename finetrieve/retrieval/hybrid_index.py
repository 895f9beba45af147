"""A corpus that one model can search in three ways: by BM25, by one vector per chunk, and by the vectors of its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finetrieve.core.arrays import FloatMatrix
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.encoder import Precision
from finetrieve.retrieval.fusion import Fusion, Parts, fuse
from finetrieve.retrieval.late_interaction import TokenIdf, TokenVectors, late_scores
from finetrieve.retrieval.vector_cache import CachedEmbedder, Embedder, TokenEmbedder


@dataclass(frozen=True)
class Queries:
    """Questions made ready for one model."""

    texts: Sequence[str]
    vectors: FloatMatrix
    """`(n_queries, dim)`."""
    tokens: TokenVectors | None = None
    weights: FloatMatrix | None = None
    """Of the tokens, `(n_tokens,)`."""

    def part(self, start: int, stop: int) -> Queries:
        """Returns the queries from `start` to `stop`."""
        texts, vectors = self.texts[start:stop], self.vectors[start:stop]
        if self.tokens is None or self.weights is None:
            return Queries(texts, vectors)
        low, high = self.tokens.starts[start], self.tokens.starts[stop]
        return Queries(texts, vectors, self.tokens.part(start, stop), self.weights[low:high])


@dataclass(frozen=True)
class SearchIndex:
    """The texts of a corpus, searchable by BM25 and by one model."""

    bm25: Bm25
    embedder: Embedder
    vectors: FloatMatrix
    """`(n_texts, dim)`."""
    tokens: TokenVectors | None = None
    idf: TokenIdf | None = None
    precision: Precision = "fp32"
    """Of the products of token vectors."""

    def __len__(self) -> int:
        return self.bm25.n_texts

    @property
    def has_tokens(self) -> bool:
        """Whether it can be searched by token vectors."""
        return self.tokens is not None

    def prepare(self, texts: Sequence[str]) -> Queries:
        """Returns the queries with the vectors that this index compares."""
        if self.tokens is None or self.idf is None or not isinstance(self.embedder, TokenEmbedder):
            return Queries(texts, self.embedder.embed(texts, "query"))
        tokens = self.embedder.embed_tokens(texts, "query")  # first: the dense vectors come from the same pass
        return Queries(texts, self.embedder.embed(texts, "query"), tokens, self.idf.weights(tokens.ids))

    def encode_anew(self, texts: Sequence[str]) -> None:
        """Encodes queries although their vectors may be kept: for measuring how long that takes."""
        if isinstance(self.embedder, CachedEmbedder):
            self.embedder.encode_anew(texts, "query", with_tokens=self.has_tokens)
        else:
            self.prepare(texts)

    def dense(self, queries: Queries) -> FloatMatrix:
        """Returns cosines `(n_queries, n_texts)`."""
        return queries.vectors @ self.vectors.T

    def late(self, queries: Queries) -> FloatMatrix:
        """Returns MaxSim scores `(n_queries, n_texts)`, the queries' tokens weighted by how rare they are in the corpus.

        Raises:
            ValueError: The index or the queries have no token vectors.
        """
        return late_scores(*self._tokens_of(queries), queries.weights, self.precision)

    def late_of(self, queries: Queries, rows: npt.NDArray[np.int64]) -> FloatMatrix:
        """Returns the MaxSim scores of some texts for each query, `(n_queries, n_rows)`.

        Args:
            queries: What is asked.
            rows: Of the texts, for each query, `(n_queries, n_rows)`.
        """
        _, texts = self._tokens_of(queries)
        scores = np.empty(rows.shape, dtype=np.float32)
        for row, wanted in enumerate(rows):
            query = queries.part(row, row + 1)
            scores[row] = late_scores(self._tokens_of(query)[0], texts.take(wanted), query.weights, self.precision)[0]
        return scores

    def parts(self, queries: Queries, *, with_late: bool = True) -> Parts:
        """Returns the scores of all texts, those of the tokens where the index has them and they are wanted."""
        late = self.late(queries) if self.has_tokens and with_late else None
        return Parts(queries.texts, self.bm25.scores(queries.texts), self.dense(queries), late, self.bm25.coverage(queries.texts))

    def search(self, texts: Sequence[str], fusion: Fusion) -> FloatMatrix:
        """Returns the fused scores `(n_queries, n_texts)`; ask in blocks of queries to bound the memory."""
        return fuse(self.parts(self.prepare(texts)), fusion)

    def _tokens_of(self, queries: Queries) -> tuple[TokenVectors, TokenVectors]:
        if self.tokens is None or queries.tokens is None:
            raise ValueError("The index was built without token vectors, so it has no late scores.")
        return queries.tokens, self.tokens


def build_index(
    texts: Sequence[str],
    embedder: Embedder,
    *,
    bm25: Bm25 | None = None,
    with_tokens: bool = False,
    precision: Precision = "fp32",
) -> SearchIndex:
    """Returns the index of a corpus for one model.

    Args:
        texts: What is searched.
        embedder: The model.
        bm25: Of the same texts, where it is there already.
        with_tokens: Whether late scores will be asked for; ignored for a model that has no token vectors.
        precision: Of the products of token vectors.
    """
    lexical = bm25 or Bm25(texts)
    if not with_tokens or not isinstance(embedder, TokenEmbedder):
        return SearchIndex(lexical, embedder, embedder.embed(texts, "document"), precision=precision)
    tokens = embedder.embed_tokens(texts, "document")  # first: the dense vectors come from the same pass
    return SearchIndex(lexical, embedder, embedder.embed(texts, "document"), tokens, TokenIdf(tokens), precision)
