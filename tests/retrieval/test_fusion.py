"""Fusion: numbers worked out by hand, and the rule that chooses on dev."""

from __future__ import annotations

import numpy as np
import pytest

from finetrieve.core.errors import InputError
from finetrieve.retrieval import fusion as module
from finetrieve.retrieval.fusion import (
    FUSED,
    FUSIONS,
    HYBRID,
    Fusion,
    Parts,
    candidates,
    choose_fusion,
    fuse,
    fusion_from,
    lexical_trust,
    normalise,
    z_score,
)

DENSE = np.array([[0.9, 0.5, 0.1]], np.float32)
LEXICAL = np.array([[0.0, 8.0, 2.0]], np.float32)
LATE = np.array([[0.2, 0.2, 0.8]], np.float32)
PARTS = Parts(["q"], LEXICAL, DENSE, LATE)


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
    assert fuse(PARTS, Fusion("min_max", 0.6, 0.0, 0.4))[0] == pytest.approx([0.6, 0.7, 0.1])
    # late 0, 0, 1 counts twice
    assert fuse(PARTS, Fusion("min_max", 0.6, 2.0, 0.4))[0] == pytest.approx([0.6, 0.7, 2.1])


def test_the_default_adds_z_scores_with_one_and_a_half_times_the_late_ones() -> None:
    parts = Parts(["q"], np.array([[0, 2]], np.float32), np.array([[0.5, 0.1]], np.float32), np.array([[0.3, 0.7]], np.float32))
    # z-scores of two values are -1 and 1: lexical -1, 1; dense 1, -1; late -1, 1
    assert fuse(parts, FUSED)[0] == pytest.approx([-1.5, 1.5])
    assert fuse(parts, HYBRID)[0] == pytest.approx([0, 0], abs=1e-6)


def test_a_part_that_is_not_there_is_not_left_out_in_silence() -> None:
    with pytest.raises(ValueError, match="needs the late scores"):
        fuse(Parts(["q"], LEXICAL, DENSE), FUSED)


def test_what_a_query_says_of_its_words_scales_their_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(["a", "b"], np.repeat(LEXICAL, 2, 0), np.repeat(DENSE, 2, 0))
    assert module.lexical_trust(parts).tolist() == [1, 1]
    monkeypatch.setattr(module, "lexical_trust", lambda _: np.array([1.0, 0.5], np.float32))
    # lexical 0, 1, .25 counts whole for the first query and half for the second
    expected = [[1.0, 1.5, 0.25], [1.0, 1.0, 0.125]]
    assert fuse(parts, Fusion("min_max", 1, 0, 1)) == pytest.approx(np.array(expected))


def test_a_fusion_survives_being_written_and_older_ones_are_read() -> None:
    chosen = Fusion("rrf", 2.0, 1.5, 0.5, "human dev")
    assert chosen.as_dict() == {
        "name": "rrf",
        "weights": {"dense": 2.0, "late": 1.5, "lexical": 0.5},
        "chosen_on": "human dev",
    }
    assert fusion_from(chosen.as_dict()) == chosen
    assert fusion_from({"name": "z_score", "weight": 0.5}) == HYBRID


@pytest.mark.parametrize("name", FUSIONS)
def test_weights_of_one_and_zero_rank_as_one_part_alone(name: str) -> None:
    assert np.argsort(-fuse(PARTS, Fusion(name, 1, 0, 0))[0]).tolist() == [0, 1, 2]
    assert np.argsort(-fuse(PARTS, Fusion(name, 0, 0, 1))[0]).tolist() == [1, 2, 0]


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


def test_the_scale_of_a_few_units_can_be_taken_from_all() -> None:
    every, first = np.array([[4, 2, 0, 2, 2]], np.float32), np.array([[4, 2]], np.float32)
    assert normalise("z_score", first, every)[0] == pytest.approx([2 / 1.6**0.5, 0])
    assert normalise("min_max", first, every)[0] == pytest.approx([1, 0.5])
    assert normalise("rrf", first, every)[0] == pytest.approx([1 / 61, 1 / 62])


def test_z_score_leaves_its_argument_alone() -> None:
    before = DENSE.copy()
    z_score(DENSE)
    assert (before == DENSE).all()


def _dev(
    best: Fusion, lead: float, n_queries: int = 200, default: Fusion = HYBRID, is_human: bool = True
) -> tuple[list[Fusion], np.ndarray]:
    """Returns options and their nDCG on dev, all alike but for noise, with one option ahead of them by `lead`."""
    options = candidates(default, is_human)
    ndcg = np.random.default_rng(0).normal(0.5, 0.1, (n_queries, len(options)))
    ndcg -= ndcg.mean(axis=0) - 0.5
    ndcg[:, options.index(best)] += lead
    return options, ndcg


@pytest.mark.parametrize("default", [HYBRID, FUSED])
@pytest.mark.parametrize("is_human", [True, False])
def test_the_default_leads_the_options_and_none_is_there_twice(default: Fusion, is_human: bool) -> None:
    options = candidates(default, is_human)
    assert (options[0].name, options[0].weights) == (default.name, default.weights)
    assert len(set(options)) == len(options)
    assert all(sum(option.weights.values()) > 0 for option in options)


def test_equal_weights_stay_while_dev_says_little() -> None:
    options, ndcg = _dev(Fusion("z_score", 0.4, 0, 1.6, "human dev"), lead=0.005)
    assert choose_fusion(options, ndcg).weights == HYBRID.weights


@pytest.mark.parametrize(
    ("default", "best"),
    [
        (HYBRID, Fusion("z_score", 1.6, 0, 0.4, "human dev")),
        (HYBRID, Fusion("rrf", 0.6, 0, 1.4, "human dev")),
        (FUSED, Fusion("z_score", 1, 1.5, 0, "human dev")),
        (FUSED, Fusion("min_max", 0, 1.5, 0, "human dev")),
        (FUSED, Fusion("z_score", 0, 0, 1, "human dev")),
    ],
)
def test_a_clear_winner_on_peoples_questions_is_taken(default: Fusion, best: Fusion) -> None:
    options, ndcg = _dev(best, lead=0.1, default=default)
    assert choose_fusion(options, ndcg) == best


@pytest.mark.parametrize("default", [HYBRID, FUSED])
def test_generated_questions_choose_nothing(default: Fusion) -> None:
    assert candidates(default, is_human=False) == [default]


def test_bm25_counts_as_far_as_one_text_has_the_query_s_words() -> None:
    # Coverage 0.3 and less: not at all; 0.6 and more: whole; halfway between: half.
    parts = Parts(
        ["a", "b", "c"], np.repeat(LEXICAL, 3, 0), np.repeat(DENSE, 3, 0), coverage=np.array([0.2, 0.45, 0.9], np.float32)
    )
    np.testing.assert_allclose(lexical_trust(parts), [0, 0.5, 1], atol=1e-6)
    fused = fuse(parts, HYBRID)
    np.testing.assert_allclose(fused[0], z_score(DENSE)[0], atol=1e-6)
    np.testing.assert_allclose(fused[1], (z_score(DENSE) + 0.5 * z_score(LEXICAL))[0], atol=1e-6)
    np.testing.assert_allclose(fused[2], (z_score(DENSE) + z_score(LEXICAL))[0], atol=1e-6)


def test_too_few_dev_queries_leave_the_default() -> None:
    options, ndcg = _dev(Fusion("z_score", 1.6, 0, 0.4, "human dev"), lead=0.1, n_queries=19)
    assert choose_fusion(options, ndcg) == HYBRID
