"""The drift gate: does an engine serve what the evaluation measured? The same questions to both, nDCG@10 beside nDCG@10.

Between the two lie fewer dimensions and bits, another library's distances, perhaps an approximate index. NVIDIA's recipe for
fine-tuned embedding models ends with the same check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.numbers import counted
from finetrieve.core.progress import Progress
from finetrieve.core.text_table import table_lines
from finetrieve.engines.vector_search import VectorSearch, Way
from finetrieve.evaluation.bootstrap import difference, resampled_means
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.metrics import HEADLINE, METRICS, relevance_of, score_queries
from finetrieve.evaluation.scoring import spread, units_of
from finetrieve.retrieval.fusion import Fusion, fuse
from finetrieve.retrieval.hybrid_index import Queries, SearchIndex
from finetrieve.retrieval.search import Hit
from finetrieve.retrieval.units import Units

TOLERANCE = 0.02
"""Of nDCG@10, 0..1: the recommended way to store vectors may cost 0.01."""
DEPTH = 10
"""Units that nDCG@10 reads."""
_QUERIES_AT_ONCE = 32
_SAMPLES, _SEED = 2000, 13


class DriftError(RuntimeError):
    """An engine answers worse, or other, than what was evaluated."""


@dataclass(frozen=True)
class Drift:
    """What an engine serves beside what the evaluation's own search finds."""

    way: Way
    n_queries: int
    served: float
    """nDCG@10 of the engine, 0..1."""
    evaluated: float
    """nDCG@10 of the product's own search with whole vectors, on the same questions."""
    low: float
    """95% interval of `difference`, from resampling the questions: nDCG@10, 0..1."""
    high: float
    shared: float
    """Of the first 10 that the own search finds, the share that the engine has among its first 10."""

    @property
    def difference(self) -> float:
        """nDCG@10 that is lost or won by serving."""
        return self.served - self.evaluated

    def is_clear(self, tolerance: float) -> bool:
        """Whether the difference is larger than the tolerance, and more than the chance of which questions were asked."""
        return abs(self.difference) > tolerance and not self.low <= 0 <= self.high


def measure_drift(
    search: VectorSearch, own: SearchIndex, eval_set: EvalSet, most: int, progress: Progress | None = None
) -> list[Drift]:
    """Returns the drift of each way of searching that the engine has.

    Args:
        search: The engine.
        own: The evaluation's search of the same chunks, with token vectors if the engine has some.
        eval_set: Questions and what answers them; its chunks are those of `own`, in the same order.
        most: Questions asked at most, spread over the set.
        progress: Told how many questions are done.
    """
    asked = spread(eval_set, most)
    units = units_of(asked)
    return [_drift(way, search, own, asked, units, progress) for way in search.ways]


def _drift(way: Way, search: VectorSearch, own: SearchIndex, asked: EvalSet, units: Units, progress: Progress | None) -> Drift:
    texts, columns = list(asked.queries.values()), {unit: column for column, unit in enumerate(units.ids)}
    relevance = relevance_of([asked.qrels[query] for query in asked.queries], columns)
    evaluated, served = [], []
    for start in range(0, len(texts), _QUERIES_AT_ONCE):
        part = texts[start : start + _QUERIES_AT_ONCE]
        queries = own.prepare(part)
        evaluated.append(_own_scores(own, queries, way, units, search.fusion))
        served.append(np.stack([_served_scores(search, text, way, asked, columns) for text in part]))
        if progress is not None:
            progress(start + len(part), len(texts))
    whole, found = np.concatenate(evaluated), np.concatenate(served)  # (n_queries, n_units)
    ndcg = np.stack([score_queries(scores, relevance)[:, METRICS.index(HEADLINE)] for scores in (found, whole)], axis=1)
    means = resampled_means(ndcg.astype(np.float64), _SAMPLES, _SEED)  # (_SAMPLES, 2)
    gap = difference(ndcg[:, 0], ndcg[:, 1], means[:, 0], means[:, 1])
    served_ndcg, evaluated_ndcg = ndcg.mean(axis=0).tolist()
    return Drift(way, len(texts), served_ndcg, evaluated_ndcg, gap.low, gap.high, _shared(found, whole))


def _own_scores(own: SearchIndex, queries: Queries, way: Way, units: Units, fusion: Fusion) -> FloatMatrix:
    """Returns the scores of the units `(n_queries, n_units)`, each that of its best chunk."""
    if way == "fused":
        return units.best(fuse(own.parts(queries), fusion))
    return units.best(own.late(queries) if way == "late" else own.dense(queries))


def _served_scores(search: VectorSearch, text: str, way: Way, asked: EvalSet, columns: dict[str, int]) -> FloatMatrix:
    """Returns the scores of the units `(n_units,)` that an engine finds first; of the others, minus infinity."""
    best, depth = _best_units(search.search(text, DEPTH, way), asked), DEPTH
    while len(best) < min(DEPTH, len(columns)) and depth < len(asked.chunks):  # some chunks are of one document
        depth = min(4 * depth, len(asked.chunks))
        best = _best_units(search.search(text, depth, way), asked)
    scores = np.full(len(columns), -np.inf, np.float32)
    for unit, score in best.items():
        if unit in columns:
            scores[columns[unit]] = score
    return scores


def _best_units(found: Sequence[Hit], asked: EvalSet) -> dict[str, float]:
    best: dict[str, float] = {}
    for hit in found:
        for unit in asked.units_of(hit.chunk):
            best[unit] = max(hit.score, best.get(unit, -np.inf))
    return best


def _shared(served: FloatMatrix, evaluated: FloatMatrix) -> float:
    """Returns the mean share of the first 10 of one that are among the first 10 of the other."""
    depth = min(DEPTH, served.shape[1])
    first = [np.argsort(-scores, axis=1, kind="stable")[:, :depth] for scores in (served, evaluated)]
    pairs = zip(first[0].tolist(), first[1].tolist(), strict=True)
    return float(np.mean([len(set(one) & set(other)) / depth for one, other in pairs]))


def drift_text(drifts: Sequence[Drift], place: str) -> str:
    """Returns what was measured, as lines for the terminal."""
    head = ("search by", "questions", "served", "evaluated", "difference", "same first 10")
    body = [
        (
            drift.way,
            f"{drift.n_queries:,}",
            f"{drift.served:.3f}",
            f"{drift.evaluated:.3f}",
            f"{drift.difference:+.3f} [{drift.low:+.3f}, {drift.high:+.3f}]",
            f"{drift.shared:.0%}",
        )
        for drift in drifts
    ]
    return "\n".join([f"nDCG@10 of {place} beside the evaluation's own search:", *table_lines([head, *body])])


def late_note(drifts: Sequence[Drift], tolerance: float) -> str:
    """Returns what to say of a search by token vectors alone that finds less, where these are for putting results in order."""
    late = next((drift for drift in drifts if drift.way == "late" and drift.is_clear(tolerance)), None)
    if late is None:
        return ""
    return (
        f"By late alone (--by late) nDCG@10 is {late.served:.3f}, not {late.evaluated:.3f}: the token vectors are stored as "
        "recommended for putting the hybrid's first chunks in order. More --dimensions or bits (--precision) serve both."
    )


def check_drift(drifts: Sequence[Drift], place: str, tolerance: float, reorder_only: bool = False) -> None:
    """Checks that an engine serves what was evaluated.

    Args:
        drifts: Of all ways of searching, the one that is used unless a person asks for another last.
        place: The engine.
        tolerance: nDCG@10 that may lie between.
        reorder_only: Whether the token vectors are meant for putting other results in order: a search by them alone is checked
            only where it is the one that is used.

    Raises:
        DriftError: Its nDCG@10 is further from the evaluation's than the tolerance, and than chance explains.
    """
    for drift in drifts:
        if drift.is_clear(tolerance) and not (reorder_only and drift.way == "late" and drift is not drifts[-1]):
            raise DriftError(
                f"{place} serves other results than were evaluated: by {drift.way} search nDCG@10 is {drift.served:.3f} on "
                f"{counted(drift.n_queries, 'question')}, and {drift.evaluated:.3f} in the evaluation's own search; at most "
                f"{tolerance:g} apart was expected. Store more dimensions or bits (--dimensions, --precision) or set --tolerance."
            )
