"""The Parquet files themselves, compared one by one: exact, without an engine, for corpora that one machine reads in a second."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.rows import Chunk
from finetrieve.engines.base import Engine, Found
from finetrieve.engines.vector_files import FOLDER, Block, StoredVectors, read_blocks
from finetrieve.retrieval.late_interaction import TokenVectors, TokenWriter, late_scores

Rows = npt.NDArray[np.int64]


class ParquetEngine(Engine):
    """Compares a query with every vector; token vectors beyond 256 MB are mapped from a scratch file."""

    name = "parquet"
    description = "The Parquet files themselves, compared one by one."

    @classmethod
    def build(cls, folder: Path, blocks: Iterable[Block], stored: StoredVectors) -> None:
        """Does nothing: the files are the index."""

    def __init__(self, folder: Path, stored: StoredVectors) -> None:
        dense: list[FloatMatrix] = []
        writer = TokenWriter()
        self._chunks: list[Chunk] = []
        for block in read_blocks(folder / FOLDER, stored):
            self._chunks += block.chunks
            if block.dense is not None:
                dense.append(block.dense)
            if block.late is not None:
                writer.add(block.late)
        self._dense = np.concatenate(dense) if dense else None
        self._late = writer.done() if stored.late is not None else None
        self._row_of = {chunk.id: row for row, chunk in enumerate(self._chunks)}

    def dense(self, vector: FloatMatrix, k: int, among: Sequence[str] | None = None) -> list[Found]:
        """Returns the k nearest chunks of a unit vector `(dims,)`, the best first, ties in the chunks' order."""
        assert self._dense is not None
        rows = self._rows(among)
        return self._best((self._dense if among is None else self._dense[rows]) @ vector, rows, k)

    def late(self, vectors: FloatMatrix, k: int, among: Sequence[str] | None = None) -> list[Found]:
        """Returns the k best chunks by MaxSim, the best first, ties in the chunks' order."""
        assert self._late is not None
        lengths = np.linalg.norm(vectors, axis=1)
        directions = (vectors / np.maximum(lengths, 1e-12)[:, None]).astype(np.float16)
        query = TokenVectors(directions, np.zeros(len(vectors), np.int32), np.array([0, len(vectors)], np.int64))
        rows = self._rows(among)
        compared = self._late if among is None else self._late.take(rows)
        return self._best(late_scores(query, compared, lengths.astype(np.float32))[0], rows, k)

    def _rows(self, among: Sequence[str] | None) -> Rows:
        return np.arange(len(self._chunks)) if among is None else np.array(sorted(self._row_of[name] for name in among), np.int64)

    def _best(self, scores: FloatMatrix, rows: Rows, k: int) -> list[Found]:
        order = np.argsort(-scores, kind="stable")[:k]
        return [Found(self._chunks[rows[place]], float(scores[place])) for place in order]
