"""Fusion: numbers worked out by hand, and the rule that chooses on dev."""

from __future__ import annotations

import numpy as np
import pytest

from steps.errors import InputError
from steps.retrieval.fusion import FUSIONS, Fusion, candidates, choose_fusion, fuse, normalise, z_score

DENSE = np.array([[0.9, 0.5, 0.1]], np.float32)
LEXICAL = np.array([[0.0, 8.0, 2.0]], np.float32)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rrf", [1 / 61, 1 / 62, 1 / 63]),
        ("min_max", [1.0, 0.5, 0.0]),
        ("z_score", [1.5**0.5, 0.0, -(1.5**0.5)]),
    ],
)
def test_normalised_scores(name: str, expected: list[float]) -> None:
    assert normalise(name, DENSE)[0] == pytest.approx(expected, abs=1e-6)


def test_fused_score_is_the_weighted_sum() -> None:
    # min-max: dense 1, .5, 0; lexical 0, 1, .25
    assert fuse(DENSE, LEXICAL, Fusion("min_max", 0.6))[0] == pytest.approx([0.6, 0.7, 0.1])


@pytest.mark.parametrize("name", FUSIONS)
def test_weights_of_one_and_zero_rank_as_one_half_alone(name: str) -> None:
    assert np.argsort(-fuse(DENSE, LEXICAL, Fusion(name, 1.0))[0]).tolist() == [0, 1, 2]
    assert np.argsort(-fuse(DENSE, LEXICAL, Fusion(name, 0.0))[0]).tolist() == [1, 2, 0]


def test_equal_scores_share_a_rank() -> None:
    ranks = normalise("rrf", np.array([[0, 3, 0, 1]], np.float32))[0]
    assert ranks == pytest.approx([1 / 63, 1 / 61, 1 / 63, 1 / 62])


@pytest.mark.parametrize("name", ["z_score", "min_max"])
def test_a_query_that_matches_nothing_adds_nothing(name: str) -> None:
    assert not normalise(name, np.zeros((1, 4), np.float32)).any()


def test_unknown_fusion_names_the_known_ones() -> None:
    with pytest.raises(
        InputError, match=r"Unknown fusion 'zscore'\. Did you mean 'z_score'\? Choose one of: min_max, rrf, z_score\."
    ):
        normalise("zscore", DENSE)


def test_z_score_leaves_its_argument_alone() -> None:
    before = DENSE.copy()
    z_score(DENSE)
    assert (before == DENSE).all()


def _dev(best: Fusion, lead: float, n_queries: int = 200) -> tuple[list[Fusion], np.ndarray]:
    """Returns options and their nDCG on dev, all alike but for noise, with one option ahead of them by `lead`."""
    options = candidates()
    ndcg = np.random.default_rng(0).normal(0.5, 0.1, (n_queries, len(options)))
    ndcg -= ndcg.mean(axis=0) - 0.5
    ndcg[:, options.index(best)] += lead
    return options, ndcg


def test_equal_weights_stay_while_dev_says_little() -> None:
    options, ndcg = _dev(Fusion("z_score", 0.2), lead=0.005)
    assert choose_fusion(options, ndcg) == Fusion("z_score", 0.5)


@pytest.mark.parametrize("best", [Fusion("z_score", 0.8), Fusion("rrf", 0.3)])
def test_a_clear_winner_on_dev_is_taken(best: Fusion) -> None:
    options, ndcg = _dev(best, lead=0.1)
    assert choose_fusion(options, ndcg) == best


def test_too_few_dev_queries_leave_the_default() -> None:
    options, ndcg = _dev(Fusion("z_score", 0.8), lead=0.1, n_queries=19)
    assert choose_fusion(options, ndcg) == Fusion()
