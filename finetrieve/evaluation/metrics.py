"""Ranking metrics per query, computed from the ranks of the relevant units alone: nothing is sorted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finetrieve.core.arrays import FloatMatrix, Integers

SUCCESS_CUTS = (1, 5, 10)
METRICS = ("ndcg@10", "mrr@10", "recall@1", "recall@5", "recall@10", "recall@100", "map", "success@1", "success@5", "success@10")
"""Their order is the order of the columns of every score matrix."""
HEADLINE = "ndcg@10"
CUT = 10
RECALL_CUTS = (1, 5, 10, 100)

Scores = npt.NDArray[np.float64]

_PAIRS_AT_ONCE = 256


@dataclass(frozen=True)
class Relevance:
    """What is relevant for each query, as flat pairs: pair i says that for query `query[i]` unit `unit[i]` has `gain[i]`.

    A pair with unit -1 is relevant and cannot be found (its document has no chunk): it counts against every arm alike.
    """

    n_queries: int
    query: Integers
    """Row of the query, ascending."""
    unit: Integers
    """Column of the unit, or -1."""
    gain: npt.NDArray[np.float64]
    """The judgement, above 0."""

    def part(self, start: int, stop: int) -> Relevance:
        """Returns the pairs of queries start..stop, their rows counted from `start`."""
        low, high = np.searchsorted(self.query, [start, stop])
        return Relevance(stop - start, self.query[low:high] - start, self.unit[low:high], self.gain[low:high])


def relevance_of(qrels: Sequence[Mapping[str, int]], columns: Mapping[str, int]) -> Relevance:
    """Returns the pairs of a list of judgements, one mapping from unit id to score per query; scores below 1 are dropped."""
    pairs = [(row, columns.get(unit, -1), gain) for row, judged in enumerate(qrels) for unit, gain in judged.items() if gain > 0]
    query, unit, gain = zip(*pairs, strict=True) if pairs else ((), (), ())
    return Relevance(len(qrels), np.array(query, np.int64), np.array(unit, np.int64), np.array(gain, np.float64))


def score_queries(scores: FloatMatrix, relevance: Relevance, *, ties_lose: bool = False) -> Scores:
    """Returns the metrics `(n_queries, len(METRICS))` of a block of scores `(n_queries, n_units)`.

    nDCG has linear gains and log2 discounts; all metrics agree with trec_eval, ties included, when the units stand in descending
    order of their ids: of two units with one score trec_eval puts the greater id first.

    Args:
        scores: Higher is better; minus infinity where a unit was not found, which then earns nothing.
        relevance: Of the same queries; a query without relevant units scores 0.
        ties_lose: Whether a unit that is not relevant leads all relevant ones of its score, so that ties earn nothing.
    """
    return metrics_of_ranks(relevant_ranks(scores, relevance, ties_lose=ties_lose), relevance)


def relevant_ranks(scores: FloatMatrix, relevance: Relevance, *, ties_lose: bool = False) -> npt.NDArray[np.float64]:
    """Returns the 1-based rank of each relevant pair among all units of its query; of equal scores the first column leads.

    With `ties_lose` a unit that is not relevant leads the relevant ones of its score, wherever it stands.
    """
    ranks = np.full(len(relevance.query), np.inf)
    findable = np.flatnonzero(relevance.unit >= 0)
    columns = np.arange(scores.shape[1])
    is_wrong = np.ones(scores.shape if ties_lose else (0, 0), dtype=bool)
    if ties_lose:
        is_wrong[relevance.query[findable], relevance.unit[findable]] = False
    for start in range(0, len(findable), _PAIRS_AT_ONCE):
        part = findable[start : start + _PAIRS_AT_ONCE]
        rows = scores[relevance.query[part]]  # (pairs, n_units)
        unit = relevance.unit[part][:, None]
        own = np.take_along_axis(rows, unit, axis=1)
        ahead = (rows > own).sum(axis=1)
        leads = (columns < unit) | is_wrong[relevance.query[part]] if ties_lose else columns < unit
        tied_before = ((rows == own) & leads).sum(axis=1)
        ranks[part] = np.where(np.isneginf(own[:, 0]), np.inf, 1 + ahead + tied_before)
    return ranks


def metrics_of_ranks(ranks: npt.NDArray[np.float64], relevance: Relevance) -> Scores:
    """Returns the metrics `(n_queries, len(METRICS))` from the rank of each relevant pair."""
    n = relevance.n_queries

    def per_query(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.bincount(relevance.query, weights=values, minlength=n).astype(
            np.float64
        )  # no pairs: bincount forgets the weights

    n_relevant = np.maximum(per_query(np.ones(len(ranks))), 1)
    best = np.full(n, np.inf)
    np.minimum.at(best, relevance.query, ranks)
    columns = {
        "ndcg@10": _ratio(per_query(_discounted(relevance.gain, ranks)), per_query(_ideal(relevance))),
        "mrr@10": np.where(best <= CUT, 1 / best, 0.0),
        "map": per_query(_order_in_query(relevance.query, ranks) / ranks) / n_relevant,
    }
    columns |= {f"success@{cut}": (best <= cut).astype(np.float64) for cut in SUCCESS_CUTS}
    columns |= {f"recall@{cut}": per_query((ranks <= cut).astype(np.float64)) / n_relevant for cut in RECALL_CUTS}
    return np.stack([columns[name] for name in METRICS], axis=1)


def _discounted(gain: npt.NDArray[np.float64], ranks: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(ranks <= CUT, gain / np.log2(ranks + 1), 0.0)


def _ideal(relevance: Relevance) -> npt.NDArray[np.float64]:
    """Returns what each pair would add to the DCG if its query's pairs came first, best gain first."""
    return _discounted(relevance.gain, _order_in_query(relevance.query, -relevance.gain))


def _order_in_query(query: Integers, key: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns the 1-based place of each pair among those of its query, by ascending key."""
    order = np.lexsort((key, query))
    first = np.searchsorted(query[order], query[order], side="left")
    places = np.empty(len(query))
    places[order] = np.arange(len(query)) - first + 1
    return places


def _ratio(part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
