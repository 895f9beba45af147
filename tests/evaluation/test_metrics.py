"""Ranking metrics: numbers worked out by hand, and agreement with trec_eval."""

from __future__ import annotations

import math

import numpy as np
import pytest
import pytrec_eval

from finetrieve.evaluation.metrics import METRICS, Relevance, relevance_of, relevant_ranks, score_queries

TREC_NAMES = {
    "ndcg@10": "ndcg_cut_10",
    "recall@1": "recall_1",
    "recall@5": "recall_5",
    "recall@10": "recall_10",
    "recall@100": "recall_100",
    "map": "map",
    "success@1": "success_1",
    "success@5": "success_5",
    "success@10": "success_10",
}


def _score(ranking: list[str], judged: dict[str, int], units: int = 200) -> dict[str, float]:
    """Returns the metrics of one query whose best units are `ranking`; `units` names are u000, u001, ..."""
    names = [f"u{number:03}" for number in range(units)]
    scores = np.zeros((1, units), np.float32)
    for place, unit in enumerate(ranking):
        scores[0, names.index(unit)] = units - place
    relevance = relevance_of([judged], {name: column for column, name in enumerate(names)})
    return dict(zip(METRICS, score_queries(scores, relevance)[0], strict=True))


def test_one_relevant_unit_in_third_place() -> None:
    found = _score(["u001", "u002", "u003"], {"u003": 1})
    assert found == pytest.approx(
        {"ndcg@10": 1 / 2, "mrr@10": 1 / 3, "recall@1": 0, "recall@5": 1, "recall@10": 1, "recall@100": 1, "map": 1 / 3}
        | {"success@1": 0, "success@5": 1, "success@10": 1}
    )


def test_two_graded_units_in_second_and_fourth_place() -> None:
    found = _score(["u001", "u002", "u003", "u004"], {"u002": 1, "u004": 3})
    assert found["ndcg@10"] == pytest.approx((1 / math.log2(3) + 3 / math.log2(5)) / (3 + 1 / math.log2(3)))
    assert found["mrr@10"] == pytest.approx(1 / 2)
    assert found["recall@1"] == 0
    assert found["recall@5"] == 1
    assert found["map"] == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_one_of_two_answers_among_the_first_is_a_success_and_half_the_recall() -> None:
    found = _score(["u001", "u002", *(f"u{number:03}" for number in range(20, 26)), "u004"], {"u002": 1, "u004": 1})
    assert (found["recall@5"], found["success@5"], found["success@1"], found["success@10"]) == (0.5, 1, 0, 1)


def test_beyond_the_cut_only_recall_at_100_and_map_count() -> None:
    found = _score([f"u{number:03}" for number in range(50)], {"u010": 1})
    assert found == pytest.approx(
        {"ndcg@10": 0, "mrr@10": 0, "recall@1": 0, "recall@5": 0, "recall@10": 0, "recall@100": 1, "map": 1 / 11}
        | {"success@1": 0, "success@5": 0, "success@10": 0}
    )


def test_scores_of_zero_and_less_are_not_relevant() -> None:
    assert _score(["u001", "u002"], {"u001": 0, "u002": 1, "u003": -1}) == _score(["u001", "u002"], {"u002": 1})


def test_a_relevant_unit_that_cannot_be_found_counts_against_recall() -> None:
    found = _score(["u001"], {"u001": 1, "nowhere": 1})
    assert found["recall@100"] == 0.5
    assert found["map"] == 0.5
    assert found["ndcg@10"] == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_a_query_without_relevant_units_scores_zero() -> None:
    assert not any(_score(["u001"], {"u001": 0}).values())


def test_of_equal_scores_the_first_column_leads() -> None:
    relevance = Relevance(1, np.array([0, 0]), np.array([1, 3]), np.ones(2))
    assert relevant_ranks(np.array([[5, 5, 7, 5]], np.float32), relevance).tolist() == [3, 4]


def test_part_of_the_judgements_counts_its_queries_from_zero() -> None:
    relevance = relevance_of([{"a": 1}, {"b": 1, "a": 2}, {"b": 1}], {"a": 0, "b": 1})
    part = relevance.part(1, 3)
    assert part.n_queries == 2
    assert part.query.tolist() == [0, 0, 1]
    assert part.unit.tolist() == [1, 0, 1]


@pytest.mark.parametrize("distinct_scores", [10_000, 20, 1], ids=["hardly any ties", "many ties", "all tied"])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_trec_eval_on_graded_judgements(distinct_scores: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    n_queries, n_units = 60, 350
    names = sorted((f"d{number}" for number in range(n_units)), reverse=True)
    scores = (random.integers(distinct_scores, size=(n_queries, n_units)) / 7).astype(np.float32)
    qrels = [
        {names[column]: int(random.integers(-1, 4)) for column in random.choice(n_units, random.integers(1, 40), replace=False)}
        | {"d3": 2}
        for _ in range(n_queries)
    ]
    ours = score_queries(scores, relevance_of(qrels, {name: column for column, name in enumerate(names)}))
    run = {str(row): dict(zip(names, map(float, scores[row]), strict=True)) for row in range(n_queries)}
    judged = {str(row): {unit: max(score, 0) for unit, score in qrels[row].items()} for row in range(n_queries)}
    measures = {"ndcg_cut.10", "recall.1,5,10,100", "map", "recip_rank", "success.1,5,10"}
    theirs = pytrec_eval.RelevanceEvaluator(judged, measures).evaluate(run)
    for column, name in enumerate(METRICS):
        if name == "mrr@10":  # trec_eval has no cut: below rank 10 ours is 0
            expected = [r if (r := theirs[str(row)]["recip_rank"]) >= 0.1 - 1e-9 else 0.0 for row in range(n_queries)]
        else:
            expected = [theirs[str(row)][TREC_NAMES[name]] for row in range(n_queries)]
        assert ours[:, column] == pytest.approx(expected, abs=1e-9), name


def test_what_was_not_found_earns_nothing_where_it_ties_with_all_else_that_was_not() -> None:
    scores = np.array(
        [[-np.inf, 2.0, -np.inf, 1.0]], dtype=np.float32
    )  # nothing but columns 1 and 3 shares a word with the query
    found = score_queries(scores, relevance_of([{"a": 1, "d": 1}], {"a": 0, "b": 1, "c": 2, "d": 3}))[0]
    named = dict(zip(METRICS, found, strict=True))
    assert named["recall@100"] == 0.5  # of the relevant, "d" at rank 2 alone
    assert named["mrr@10"] == 0.5
    assert named["map"] == pytest.approx(0.25)
    assert named["ndcg@10"] == pytest.approx((1 / np.log2(3)) / (1 + 1 / np.log2(3)))
