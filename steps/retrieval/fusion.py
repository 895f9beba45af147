"""Fusion of dense and lexical scores into one ranking, and the choice of how much each counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steps.errors import unknown_name

FloatMatrix = npt.NDArray[np.float32]

RRF_K = 60
"""Cormack, Clarke, Buettcher, "Reciprocal Rank Fusion outperforms Condorcet", SIGIR 2009."""


@dataclass(frozen=True)
class Fusion:
    """How a hybrid adds up its two halves."""

    name: str = "z_score"
    weight: float = 0.5
    """Of the dense scores, 0..1; the lexical ones get the rest."""


def z_score(scores: FloatMatrix) -> FloatMatrix:
    """Returns each query's scores `(n_queries, n_units)` in standard deviations from their mean."""
    spread = scores.std(axis=1, keepdims=True)
    centred = scores - scores.mean(axis=1, keepdims=True)
    return _divided(centred, spread)


def min_max(scores: FloatMatrix) -> FloatMatrix:
    """Returns each query's scores stretched to 0..1."""
    low = scores.min(axis=1, keepdims=True)
    return _divided(scores - low, scores.max(axis=1, keepdims=True) - low)


def reciprocal_rank(scores: FloatMatrix) -> FloatMatrix:
    """Returns 1 / (60 + rank) of each unit in its query's ranking; units with the same score share the best of their ranks."""
    n_queries, n_units = scores.shape
    order = np.argsort(-scores, axis=1)
    ordered = np.take_along_axis(scores, order, axis=1)
    places = np.broadcast_to(np.arange(1, n_units + 1), scores.shape)
    is_first = np.ones(scores.shape, dtype=bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    shared = np.maximum.accumulate(np.where(is_first, places, 0), axis=1)
    ranks = np.empty((n_queries, n_units), dtype=np.float32)
    np.put_along_axis(ranks, order, shared.astype(np.float32), axis=1)
    return (1 / (RRF_K + ranks)).astype(np.float32)


def _divided(values: FloatMatrix, by: FloatMatrix) -> FloatMatrix:
    result: FloatMatrix = np.divide(values, by, out=np.zeros_like(values), where=by > 0)
    return result


_NORMALISERS: dict[str, Callable[[FloatMatrix], FloatMatrix]] = {
    "rrf": reciprocal_rank,
    "z_score": z_score,
    "min_max": min_max,
}
FUSIONS: dict[str, tuple[str, str]] = {
    "rrf": ("weighted sum of reciprocal ranks", f"{__name__}:reciprocal_rank"),
    "z_score": ("weighted sum of scores in standard deviations per query", f"{__name__}:z_score"),
    "min_max": ("weighted sum of scores stretched to 0..1 per query", f"{__name__}:min_max"),
}


def normalise(name: str, scores: FloatMatrix) -> FloatMatrix:
    """Returns scores `(n_queries, n_units)` on the scale that the fusion `name` adds up.

    Raises:
        InputError: No fusion has this name.
    """
    if name not in _NORMALISERS:
        raise unknown_name("fusion", name, FUSIONS)
    return _NORMALISERS[name](scores)


def fuse(dense: FloatMatrix, lexical: FloatMatrix, fusion: Fusion) -> FloatMatrix:
    """Returns the fused scores `(n_queries, n_units)` of two matrices of that shape."""
    return weighted_sum(normalise(fusion.name, dense), normalise(fusion.name, lexical), fusion.weight)


def weighted_sum(dense: FloatMatrix, lexical: FloatMatrix, weight: float) -> FloatMatrix:
    """Returns the sum of two matrices of normalised scores, `weight` of it dense."""
    share = np.float32(weight)
    return share * dense + (1 - share) * lexical


WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
METHODS = ("z_score", "min_max", "rrf")
"""The simplest that works best first: over the sets that we measured z-scores lead or tie, and plain RRF loses up to 7 points."""
FEWEST_QUERIES = 20
"""With fewer dev queries the default stays."""


def candidates() -> list[Fusion]:
    """Returns the fusions that dev chooses among, the preferred ones first."""
    near_half = sorted(WEIGHTS, key=lambda weight: (round(abs(weight - 0.5), 6), -weight))
    return [Fusion(name, weight) for name in METHODS for weight in near_half]


def choose_fusion(options: Sequence[Fusion], ndcg: npt.NDArray[np.float64]) -> Fusion:
    """Returns the first option that is within one standard error of the best on dev.

    Dev queries are few, and generated ones share words with their chunks, which flatters BM25: so equal weights stay unless dev
    speaks clearly.

    Args:
        options: What was tried, the preferred ones first.
        ndcg: nDCG@10 on dev, `(n_dev_queries, n_options)`.

    Source: the one-standard-error rule of Breiman et al., "Classification and Regression Trees", 1984, on paired differences.
    """
    if len(ndcg) < FEWEST_QUERIES:
        return Fusion()
    behind = ndcg[:, [int(ndcg.mean(axis=0).argmax())]] - ndcg  # (n_dev_queries, n_options)
    error = behind.std(axis=0, ddof=1) / np.sqrt(len(ndcg))
    return options[int(np.argmax(behind.mean(axis=0) <= error))]
