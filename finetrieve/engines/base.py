"""Engines: what holds the vectors of a corpus on disk and finds the nearest ones, found by the name before `NAME:PATH`."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.errors import InputError, unknown_name
from finetrieve.core.plugins import Registry
from finetrieve.core.rows import Chunk
from finetrieve.engines.vector_files import Block, StoredVectors


@dataclass(frozen=True)
class Found:
    """A chunk that an engine found."""

    chunk: Chunk
    score: float
    """Cosine (dense), or the weighted mean over the query's tokens of their best cosine (late); -1..1."""


class Engine(ABC):
    """A search engine that keeps its files in a folder of this machine. Opened once, closed when done."""

    name: ClassVar[str]
    description: ClassVar[str] = ""
    """One line for people."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Modules that it needs; the extra that brings them has the engine's name."""

    @classmethod
    @abstractmethod
    def build(cls, folder: Path, blocks: Iterable[Block], stored: StoredVectors) -> None:
        """Fills a folder, of which a cut-off run may have left a part, with the blocks as they come."""

    @abstractmethod
    def __init__(self, folder: Path, stored: StoredVectors) -> None:
        """Opens a folder that `build` filled."""

    @abstractmethod
    def dense(self, vector: FloatMatrix, k: int, among: Sequence[str] | None = None) -> list[Found]:
        """Returns the k nearest chunks of a unit vector `(dims,)`, the best first.

        Args:
            vector: Of the query.
            k: How many.
            among: Ids of the chunks that are compared; None compares all.
        """

    @abstractmethod
    def late(self, vectors: FloatMatrix, k: int, among: Sequence[str] | None = None) -> list[Found]:
        """Returns the k best chunks by MaxSim of a query's token vectors `(n_tokens, dims)`, the best first.

        Args:
            vectors: Each is as long as its token's share of the score, so the sum of the best dot products is the score.
            k: How many.
            among: Ids of the chunks that are compared; None compares all.
        """

    def close(self) -> None:  # noqa: B027  # nothing to do for most
        """Frees the files."""


ENGINES: Registry[Engine] = Registry(
    "engine",
    "finetrieve.engines",
    Engine,  # type: ignore[type-abstract]
    [
        "finetrieve.engines.parquet_engine:ParquetEngine",
        "finetrieve.engines.lancedb_engine:LanceDbEngine",
        "finetrieve.engines.qdrant_engine:QdrantEngine",
        "finetrieve.engines.pgvector_engine:PgVectorEngine",
    ],
)


def engine_at(place: str) -> tuple[type[Engine], Path]:
    """Returns the engine and the folder that `lancedb:PATH` and the like, or a path alone (Parquet files), mean.

    Raises:
        InputError: There is no such engine, no path, or the engine's package is not installed.
    """
    name, colon, path = place.partition(":")
    if not colon or Path(place).exists():
        return ENGINES.get("parquet"), Path(place)
    if name not in ENGINES.names():
        raise unknown_name("engine", name, ENGINES.names())
    if not path:
        raise InputError(f"'{place}' names no folder; expected {name}:PATH.")
    engine = ENGINES.get(name)
    missing = [package for package in engine.packages if importlib.util.find_spec(package) is None]
    if missing:
        raise InputError(f"{name} needs {', '.join(missing)}, not installed here. Run: pip install -e '.[{name}]'")
    return engine, Path(path)
