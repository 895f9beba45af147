"""Bootstrap intervals: right on cases with a known answer, the same for a seed, and paired."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from finetrieve.evaluation import bootstrap
from finetrieve.evaluation.bootstrap import difference, interval, resampled_means


def _difference(values: np.ndarray, against: np.ndarray) -> bootstrap.Difference:
    means = resampled_means(np.stack([values, against], axis=1), 5_000, seed=1)
    return difference(values, against, means[:, 0], means[:, 1])


def test_interval_is_that_of_the_normal_approximation_on_many_queries() -> None:
    values = np.random.default_rng(0).random(2_000)
    found = interval(values, resampled_means(values[:, None], 5_000, seed=1)[:, 0])
    error = values.std() / np.sqrt(len(values))
    assert found.value == values.mean()
    assert (found.low, found.high) == pytest.approx((found.value - 1.96 * error, found.value + 1.96 * error), abs=0.1 * error)


def test_one_query_has_no_width() -> None:
    found = interval(np.array([0.4]), resampled_means(np.array([[0.4]]), 100, seed=1)[:, 0])
    assert (found.value, found.low, found.high) == pytest.approx((0.4, 0.4, 0.4))


def test_pairing_sees_a_small_steady_gain_that_separate_intervals_hide() -> None:
    against = np.random.default_rng(0).random(200)
    found = _difference(against + 0.01, against)
    assert (found.delta, found.low, found.high) == pytest.approx((0.01, 0.01, 0.01))
    assert found.p < 0.001


def test_equal_arms_differ_by_nothing() -> None:
    values = np.random.default_rng(0).random(50)
    assert _difference(values, values.copy()) == bootstrap.Difference(0, 0, 0, 1)


def test_p_is_two_sided_and_never_zero() -> None:
    values, against = np.random.default_rng(0).random((2, 100))
    assert _difference(values, against).p == pytest.approx(_difference(against, values).p, abs=1e-9)
    assert _difference(values + 1, against).p == pytest.approx(2 / 5_001)


def test_half_the_cases_have_a_p_value_under_one_half_when_nothing_differs() -> None:
    random = np.random.default_rng(0)
    p_values = [_difference(*random.normal(size=(2, 60))).p for _ in range(60)]
    assert 0.3 < np.mean(np.array(p_values) < 0.5) < 0.7


def test_the_same_seed_gives_the_same_resamples() -> None:
    values = np.random.default_rng(0).random((40, 3))
    assert (resampled_means(values, 500, seed=7) == resampled_means(values, 500, seed=7)).all()
    assert (resampled_means(values, 500, seed=7) != resampled_means(values, 500, seed=8)).any()


def test_memory_does_not_grow_with_queries_times_resamples() -> None:
    values = np.random.default_rng(0).random((5_000, 7))
    tracemalloc.start()
    resampled_means(values, 4_000, seed=1)  # 20 million draws
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20
