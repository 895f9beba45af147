"""How generated queries differ from those that people typed: length, style, words shared with the answer, distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.own_data_report import QueryDifferences
from finetrieve.core.query_manner import manner_of


def differences(
    real: Sequence[tuple[str, str]],
    generated: Sequence[tuple[str, str]],
    texts: Mapping[str, str],
    real_vectors: FloatMatrix,
    generated_vectors: FloatMatrix,
) -> QueryDifferences:
    """Returns both manners, and how near the generated queries come to the real ones.

    Args:
        real: What people typed, with the chunk that answers it.
        generated: What was generated, likewise.
        texts: Chunk id -> text.
        real_vectors: Unit vectors of the real queries, `(n_real, dim)`.
        generated_vectors: Unit vectors of the generated ones, `(n_generated, dim)`.
    """
    among = real_vectors @ real_vectors.T
    np.fill_diagonal(among, -1.0)
    near_real = float(among.max(axis=1).mean()) if len(real) > 1 else None
    near_generated = float((real_vectors @ generated_vectors.T).max(axis=1).mean()) if len(generated) and len(real) else None
    return QueryDifferences(
        real=manner_of(real, texts),
        generated=manner_of(generated, texts),
        nearest_generated=None if near_generated is None else round(near_generated, 4),
        nearest_real=None if near_real is None else round(near_real, 4),
    )
