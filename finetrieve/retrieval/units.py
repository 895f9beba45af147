"""What is ranked where it is more than a chunk: pages and other units, each scored by its chunks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from finetrieve.core.arrays import FloatMatrix, Integers
from finetrieve.retrieval.fusion import Fusion, Parts

WHOLE_SHARE = 0.2
"""Of the mean of all of a unit's chunks in its cosine and its late score, where parts are added up; the best chunk has the rest.
`benchmarks/page_scores.py` measures it. By one part alone it gains on some sets and loses on others, and is not used."""


@dataclass(frozen=True)
class Units:
    """What is ranked: the units that chunks belong to."""

    ids: Sequence[str]
    chunk_rows: Integers
    """Rows of chunks, those of the first unit first; a chunk stands in the list of each of its units."""
    starts: Integers
    """Where each unit's chunks begin in `chunk_rows`."""

    @classmethod
    def of(cls, memberships: Iterable[Sequence[str]]) -> Units:
        """Returns the units in descending order of their ids, which is trec_eval's order for ties.

        Args:
            memberships: Of each chunk, the ids of the units that it belongs to.
        """
        members: dict[str, list[int]] = {}
        for row, units in enumerate(memberships):
            for unit in units:
                members.setdefault(unit, []).append(row)
        ids = sorted(members, reverse=True)
        rows = np.array([row for unit in ids for row in members[unit]], np.int64)
        sizes = [len(members[unit]) for unit in ids]
        return cls(ids, rows, np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64))

    def best(self, scores: FloatMatrix) -> FloatMatrix:
        """Returns `(n_queries, n_units)` from `(n_queries, n_chunks)`: a unit scores by its best chunk."""
        best: FloatMatrix = np.maximum.reduceat(scores[:, self.chunk_rows], self.starts, axis=1)
        return best

    def whole(self, scores: FloatMatrix, share: float = WHOLE_SHARE) -> FloatMatrix:
        """Returns `(n_queries, n_units)` from `(n_queries, n_chunks)`: the best chunk, and a share of the mean of all."""
        sizes = np.diff(np.append(self.starts, len(self.chunk_rows)))
        mean = np.add.reduceat(scores[:, self.chunk_rows], self.starts, axis=1) / sizes
        return np.asarray((1 - share) * self.best(scores) + share * mean, dtype=np.float32)

    def parts(self, by_chunk: Parts, fusion: Fusion) -> Parts:
        """Returns the units' scores as a fusion adds them up: by the best chunk, and where there are several, with `whole`."""
        best = by_chunk.on(self.best)
        return self.with_whole(best, by_chunk) if fusion.is_sum else best

    def with_whole(self, best: Parts, by_chunk: Parts, share: float = WHOLE_SHARE) -> Parts:
        """Returns scores by the best chunk with those of the vectors by `whole` in place."""
        late = None if by_chunk.late is None else self.whole(by_chunk.late, share)
        return replace(best, dense=self.whole(by_chunk.dense, share), late=late)

    def chunks_of(self, unit: int) -> Integers:
        """Returns the rows of a unit's chunks."""
        stop = self.starts[unit + 1] if unit + 1 < len(self.starts) else len(self.chunk_rows)
        return self.chunk_rows[self.starts[unit] : stop]

    def some(self, units: Integers) -> Units:
        """Returns some of the units, their chunks numbered anew from 0 in the order of `chunks_of` each."""
        sizes = [len(self.chunks_of(unit)) for unit in units]
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        return Units([self.ids[unit] for unit in units], np.arange(sum(sizes)), starts)

    def best_chunks(self, scores: FloatMatrix, units: Integers) -> Integers:
        """Returns the row of the best chunk of some units for each query, of equals the first.

        Args:
            scores: Of chunks, `(n_queries, n_chunks)`.
            units: Columns of units, `(n_queries, n_wanted)`.
        """
        return np.array([[self._best_chunk(scores[query], unit) for unit in wanted] for query, wanted in enumerate(units)])

    def _best_chunk(self, scores: npt.NDArray[np.float32], unit: int) -> int:
        own = self.chunks_of(unit)
        return int(own[scores[own].argmax()])
