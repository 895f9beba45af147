"""LanceDB: a table `chunks` with a column `dense` and, for late interaction, a multivector column `late`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.rows import Chunk
from finetrieve.core.tables import to_rows, to_table
from finetrieve.engines.base import Engine, Found
from finetrieve.engines.vector_files import Block, StoredVectors, fixed_lists

TABLE = "chunks"
_ROWS_AT_ONCE = 64
"""Of a record batch: at 200 tokens of 384 numbers 10 MB."""


class LanceDbEngine(Engine):
    """LanceDB in this process. Without an index of its own, as it is written here, its search is exact."""

    name = "lancedb"
    description = "LanceDB in this process, its files in a folder."
    packages = ("lancedb",)

    @classmethod
    def build(cls, folder: Path, blocks: Iterable[Block], stored: StoredVectors) -> None:
        """Writes the table in one commit, a block at a time; what a cut-off run left is replaced."""
        batches = _batches(blocks)
        first = next(batches, None)
        if first is not None:
            reader = pa.RecordBatchReader.from_batches(first.schema, chain([first], batches))
            _connect(folder).create_table(TABLE, reader, mode="overwrite")

    def __init__(self, folder: Path, stored: StoredVectors) -> None:
        self._table = _connect(folder).open_table(TABLE)

    def dense(self, vector: FloatMatrix, k: int, among: Sequence[str] | None = None) -> list[Found]:
        """Returns the k nearest chunks of a unit vector `(dims,)`, the best first."""
        return self._search(vector, "dense", k, among, offset=1.0)

    def late(self, vectors: FloatMatrix, k: int, among: Sequence[str] | None = None) -> list[Found]:
        """Returns the k best chunks by MaxSim, the best first."""
        return self._search(vectors, "late", k, among, offset=float(len(vectors)))

    def _search(self, query: FloatMatrix, column: str, k: int, among: Sequence[str] | None, offset: float) -> list[Found]:
        # By dot product, in which a token counts by its length; the distance is 1 for each vector less the score.
        names = [field.name for field in self._table.schema if field.name not in ("dense", "late")]
        asked = self._table.search(query, vector_column_name=column).metric("dot").limit(k).select([*names, "_distance"])
        if among is not None:
            ids = ", ".join("'" + name.replace("'", "''") + "'" for name in among)
            asked = asked.where(f"id IN ({ids})")
        found = asked.to_arrow()
        scores = [offset - float(distance) for distance in found.column("_distance").to_pylist()]
        return [Found(chunk, score) for chunk, score in zip(to_rows(found.select(names), Chunk), scores, strict=True)]


def _connect(folder: Path) -> Any:
    os.environ.setdefault("LANCEDB_LOG", "error")  # before the import: it warns of every table that is new
    import lancedb

    return lancedb.connect(str(folder))


def _batches(blocks: Iterable[Block]) -> Iterator[pa.RecordBatch]:
    for block in blocks:
        table = to_table(block.chunks, Chunk)
        if block.dense is not None:
            table = table.append_column("dense", fixed_lists(block.dense))
        if block.late is not None:
            offsets = pa.array(block.late.starts.astype(np.int32))
            table = table.append_column("late", pa.ListArray.from_arrays(offsets, fixed_lists(block.late.vectors)))
        yield from table.to_batches(max_chunksize=_ROWS_AT_ONCE)
