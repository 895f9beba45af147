"""Bootstrap intervals over queries: how far a mean could be off because other people would have asked other questions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finetrieve.core.record import Interval

Matrix = npt.NDArray[np.float64]

LEVEL = 0.95
FEW_QUERIES = 30
"""Below so many queries a percentile interval is too narrow to lean on: whoever shows one says so."""
_DRAWS_AT_ONCE = 1 << 21
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Difference:
    """A mean difference with its 95% interval and a two-sided p-value."""

    delta: float
    low: float
    high: float
    p: float


def resampled_means(values: Matrix, samples: int, seed: int) -> Matrix:
    """Returns the column means `(samples, n_columns)` of resamples, with replacement, of the rows of `values`.

    All columns share the same resamples, so the difference of two columns of the result is a paired bootstrap.

    Args:
        values: One row per query, one column per score.
        samples: How many resamples.
        seed: The same seed, rows and columns give the same result.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 6 and 13.
    """
    n_rows = len(values)
    generator = np.random.default_rng(seed)
    means = np.empty((samples, values.shape[1]))
    step = max(1, _DRAWS_AT_ONCE // max(n_rows, 1))
    for start in range(0, samples, step):
        stop = min(start + step, samples)
        draws = generator.integers(n_rows, size=(stop - start, n_rows), dtype=np.int32)
        # How often each row was drawn turns resampling into one matrix product.
        draws += np.arange(stop - start, dtype=np.int32)[:, None] * np.int32(n_rows)
        counts = np.bincount(draws.ravel(), minlength=(stop - start) * n_rows).reshape(stop - start, n_rows)
        means[start:stop] = counts @ values / n_rows
    return means


def interval(values: npt.NDArray[np.float64], means: npt.NDArray[np.float64]) -> Interval:
    """Returns the mean of one column with the percentiles of its resampled means."""
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value=float(values.mean()), low=float(low), high=float(high))


def difference(
    values: npt.NDArray[np.float64],
    against: npt.NDArray[np.float64],
    means: npt.NDArray[np.float64],
    means_against: npt.NDArray[np.float64],
) -> Difference:
    """Returns how much better `values` is than `against` on the same queries.

    p is twice the smaller share of resamples on either side of zero, never 0: so many resamples cannot show less.
    """
    deltas = means - means_against
    deltas[np.abs(deltas) < _ROUNDING] = 0  # equal columns may differ in the last bit of a matrix product
    low, high = np.quantile(deltas, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    smaller_side = min(int((deltas <= 0).sum()), int((deltas >= 0).sum()))
    p = min(1.0, 2 * (smaller_side + 1) / (len(deltas) + 1))
    return Difference(float((values - against).mean()), float(low), float(high), p)
