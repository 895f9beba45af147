"""Qdrant's local mode: a collection `chunks` with a vector `dense` and, for late interaction, a MaxSim multivector `late`."""

from __future__ import annotations

import shutil
import uuid
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.rows import Chunk
from finetrieve.engines.base import Engine, Found
from finetrieve.engines.vector_files import Block, StoredVectors

COLLECTION = "chunks"
_POINTS_AT_ONCE = 64
_SPACE = uuid.UUID("6b1c7f0e-6a0f-4a5b-9d3b-0d6a1a0c9a11")
"""Of the points' ids, which have to be UUIDs: each is made of its chunk's id."""


class QdrantEngine(Engine):
    """Qdrant in this process, which holds all vectors in memory: for some 20,000 chunks. A server takes the same collection."""

    name = "qdrant"
    description = "Qdrant in this process, its files in a folder; all vectors are held in memory."
    packages = ("qdrant_client",)

    @classmethod
    def build(cls, folder: Path, blocks: Iterable[Block], stored: StoredVectors) -> None:
        """Makes the collection and fills it; what a cut-off run left is replaced."""
        shutil.rmtree(folder / "collection", ignore_errors=True)
        (folder / "meta.json").unlink(missing_ok=True)
        client = _open(folder)
        try:
            client.create_collection(COLLECTION, vectors_config=vectors_config(stored))
            for block in blocks:
                points = iter(_points(block))
                while part := list(islice(points, _POINTS_AT_ONCE)):
                    client.upsert(COLLECTION, part)
        finally:
            client.close()

    def __init__(self, folder: Path, stored: StoredVectors) -> None:
        self._client = _open(folder)

    def dense(self, vector: FloatMatrix, k: int, among: Sequence[str] | None = None) -> list[Found]:
        """Returns the k nearest chunks of a unit vector `(dims,)`, the best first."""
        return self._search(vector, "dense", k, among)

    def late(self, vectors: FloatMatrix, k: int, among: Sequence[str] | None = None) -> list[Found]:
        """Returns the k best chunks by MaxSim, the best first."""
        return self._search(vectors, "late", k, among)

    def close(self) -> None:
        """Frees the folder, which one process at a time may have open."""
        self._client.close()

    def _search(self, query: FloatMatrix, using: str, k: int, among: Sequence[str] | None) -> list[Found]:
        from qdrant_client import models

        only = None if among is None else models.Filter(must=[models.HasIdCondition(has_id=[_point_id(name) for name in among])])
        found = self._client.query_points(
            COLLECTION, query=query.tolist(), using=using, query_filter=only, limit=k, with_payload=True
        )
        return [Found(Chunk(**(point.payload or {})), float(point.score)) for point in found.points]


def _open(folder: Path) -> Any:
    from qdrant_client import QdrantClient

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that local mode is slow with many points: the class says so
        return QdrantClient(path=str(folder))


def vectors_config(stored: StoredVectors) -> dict[str, Any]:
    """Returns the vectors of a collection, the same for local mode and a server.

    Scores are dot products: of unit vectors that is the cosine, and a query's token counts by its vector's length.
    """
    from qdrant_client import models

    found: dict[str, Any] = {}
    if stored.dense is not None:
        found["dense"] = models.VectorParams(size=stored.dense.dims, distance=models.Distance.DOT)
    if stored.late is not None:
        best = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
        found["late"] = models.VectorParams(size=stored.late.dims, distance=models.Distance.DOT, multivector_config=best)
    return found


def _points(block: Block) -> Iterable[Any]:
    from qdrant_client import models

    for row, chunk in enumerate(block.chunks):
        vectors: dict[str, Any] = {}
        if block.dense is not None:
            vectors["dense"] = block.dense[row].tolist()
        if block.late is not None:
            vectors["late"] = np.asarray(block.late.part(row, row + 1).vectors, np.float32).tolist()
        yield models.PointStruct(id=_point_id(chunk.id), vector=vectors, payload=asdict(chunk))


def _point_id(chunk_id: str) -> str:
    return str(uuid.uuid5(_SPACE, chunk_id))
