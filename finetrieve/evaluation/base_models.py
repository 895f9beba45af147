"""The choice among several base models that were trained and evaluated alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from finetrieve.core.base_model_report import BaseModelComparison, BaseModelTrial
from finetrieve.core.training_record import TrainingRecord
from finetrieve.evaluation.arms import FINETUNED
from finetrieve.evaluation.bootstrap import Difference, difference, resampled_means
from finetrieve.evaluation.metrics import HEADLINE
from finetrieve.evaluation.result import EvaluationResult, Verdict
from finetrieve.evaluation.verdict import reach_verdict


@dataclass(frozen=True)
class TriedModel:
    """What is known of one base model after its training."""

    base_model: str
    error: str
    """Empty where it was trained and evaluated."""
    model: Path
    record: TrainingRecord
    scores: EvaluationResult
    per_query: pa.Table
    """`eval_set`, `query_id`, `arm` and a column per metric."""
    evaluation_seconds: float = 0.0


@dataclass(frozen=True)
class _Judged:
    """A base model that was trained and evaluated, with what it is chosen by."""

    number: int
    tried: TriedModel
    verdict: Verdict
    value: float
    """nDCG@10 of its headline arm."""
    size: int


def choose_base_model(tried: Sequence[TriedModel], headline_arm: str, samples: int, seed: int) -> tuple[int, BaseModelComparison]:
    """Returns the place of the winner, and what all of them scored and cost.

    The winner is the one whose headline arm has the highest nDCG@10 on the headline set; of equals the smaller model.

    Args:
        tried: In the configuration's order.
        headline_arm: A tuned arm, or `auto`, which each model's verdict resolves by itself.
        samples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        RuntimeError: None of them has figures.
    """
    judged = [found for number, item in enumerate(tried) if (found := _judge(number, item, headline_arm)) is not None]
    if not judged:
        why = "; ".join(f"{item.base_model}: {item.error or 'nothing to compare'}" for item in tried)
        raise RuntimeError(f"None of {len(tried)} base models could be trained and evaluated. {why}")
    ranked = sorted(judged, key=lambda item: (-item.value, item.size))
    winner = ranked[0]
    rows = [_row(item, winner, samples, seed) for item in ranked]
    ranks = {item.number for item in ranked}
    rows += [
        BaseModelTrial(base_model=item.base_model, error=item.error or "There was nothing to compare.")
        for number, item in enumerate(tried)
        if number not in ranks
    ]
    eval_set = str(winner.verdict.eval_set)
    n_queries = winner.tried.scores.eval_sets[eval_set].n_queries
    return winner.number, BaseModelComparison(eval_set=eval_set, n_queries=n_queries, trials=rows)


def _judge(number: int, tried: TriedModel, headline_arm: str) -> _Judged | None:
    """Returns a model with its headline arm; None where it has no figures."""
    if tried.error:
        return None
    verdict = reach_verdict(tried.scores.eval_sets, headline_arm, tried.record.guard)
    if verdict.eval_set is None or verdict.arm is None:
        return None
    value = tried.scores.eval_sets[verdict.eval_set].headlines[verdict.arm]
    return _Judged(number, tried, verdict, value, _bytes_of(tried.model))


def _row(item: _Judged, winner: _Judged, samples: int, seed: int) -> BaseModelTrial:
    tried, verdict = item.tried, item.verdict
    eval_set = str(winner.verdict.eval_set)
    found = tried.scores.eval_sets[eval_set]
    dims = max((int(size) for size in found.dimensions.get(FINETUNED, {})), default=None)
    against = _against(item, winner, eval_set, samples, seed) if item is not winner else None
    return BaseModelTrial(
        base_model=tried.base_model,
        name=tried.record.base_words,
        winner=item is winner,
        arms={arm: interval for arm in found.arms if (interval := found.headline(arm)) is not None},
        arm=str(verdict.arm),
        seconds=tried.record.seconds,
        evaluation_seconds=round(tried.evaluation_seconds, 1),
        model_bytes=item.size,
        dims=dims,
        bytes_per_chunk=verdict.cost.bytes_per_chunk if verdict.cost else None,
        ms_per_query=verdict.cost.ms_per_query if verdict.cost else None,
        delta=against.delta if against else None,
        low=against.low if against else None,
        high=against.high if against else None,
    )


def _against(item: _Judged, winner: _Judged, eval_set: str, samples: int, seed: int) -> Difference | None:
    """Returns the paired difference of two headline arms on the questions of both; nothing where they share none."""
    own = _per_question(item.tried.per_query, eval_set, str(item.verdict.arm))
    best = _per_question(winner.tried.per_query, eval_set, str(winner.verdict.arm))
    shared = [query for query in own if query in best]
    if not shared:
        return None
    values = np.array([[own[query], best[query]] for query in shared], np.float64)
    means = resampled_means(values, samples, seed)
    return difference(values[:, 0], values[:, 1], means[:, 0], means[:, 1])


def _per_question(scores: pa.Table, eval_set: str, arm: str) -> dict[str, float]:
    part = scores.filter((pc.field("eval_set") == eval_set) & (pc.field("arm") == arm))
    return dict(zip(part.column("query_id").to_pylist(), part.column(HEADLINE).to_pylist(), strict=True))


def _bytes_of(model: Path) -> int:
    """Returns the size of a model's files; those of its multi-vector form are links to the same weights."""
    return sum(path.stat().st_size for path in model.rglob("*") if path.is_file() and "late" not in path.relative_to(model).parts)
