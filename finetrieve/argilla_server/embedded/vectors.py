"""Similarity: one float32 unit matrix per vector setting, kept up to date in place. Imports only what argilla_server brings."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

_FIRST_ROWS = 1024


def unit(value: Sequence[float]) -> NDArray[np.float32]:
    """Returns a vector of length 1, or zeros for a zero vector. Shape (dim,)."""
    vector = np.asarray(value, dtype=np.float32)
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


class Matrix:
    """The unit vectors of one vector setting, by record. Safe to use from several threads."""

    def __init__(self, dimensions: int) -> None:
        self._rows = np.zeros((_FIRST_ROWS, dimensions), dtype=np.float32)  # (capacity, dim)
        self._ids: list[UUID] = []
        self._row_of: dict[UUID, int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._ids)

    def ids(self) -> set[UUID]:
        """Returns the records that have a vector here."""
        with self._lock:
            return set(self._ids)

    def put(self, items: Iterable[tuple[UUID, Sequence[float]]], replace: bool = True) -> None:
        """Adds vectors.

        Args:
            items: Records and their vectors.
            replace: Whether they take the place of those that the records have here.
        """
        with self._lock:
            for record_id, value in items:
                row = self._row_of.get(record_id)
                if row is not None and not replace:
                    continue
                if row is None:
                    row = self._append(record_id)
                self._rows[row] = unit(value)

    def remove(self, record_ids: Iterable[UUID]) -> None:
        """Forgets the vectors of records; the last row takes a free place."""
        with self._lock:
            for record_id in record_ids:
                row = self._row_of.pop(record_id, None)
                if row is None:
                    continue
                last = self._ids.pop()
                if last != record_id:
                    self._rows[row] = self._rows[len(self._ids)]
                    self._ids[row] = last
                    self._row_of[last] = row

    def nearest(
        self, value: Sequence[float], count: int, among: Collection[UUID] | None = None, without: UUID | None = None
    ) -> list[tuple[UUID, float]]:
        """Returns up to `count` records with their cosine, -1..1, nearest first.

        Args:
            value: The vector that is compared. Shape (dim,).
            count: How many are wanted.
            among: The only records that may be found; None for all.
            without: A record that may not be found.
        """
        with self._lock:
            scores = self._rows[: len(self._ids)] @ unit(value)  # (n,)
            rows = np.arange(len(self._ids)) if among is None else self._rows_of(among)
            if without in self._row_of:
                rows = rows[rows != self._row_of[without]]
            best = rows if len(rows) <= count else rows[np.argpartition(-scores[rows], count - 1)[:count]]
            best = best[np.argsort(-scores[best], kind="stable")]
            return [(self._ids[row], float(scores[row])) for row in best[:count]]

    def _rows_of(self, record_ids: Collection[UUID]) -> NDArray[np.intp]:
        found = [row for record_id in record_ids if (row := self._row_of.get(record_id)) is not None]
        return np.array(sorted(found), dtype=np.intp)

    def _append(self, record_id: UUID) -> int:
        row = len(self._ids)
        if row == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        self._ids.append(record_id)
        self._row_of[record_id] = row
        return row
