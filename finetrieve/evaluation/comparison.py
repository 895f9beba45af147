"""Two models on the same questions, compared question by question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from finetrieve.core.corpus import Corpus
from finetrieve.core.progress import reporter
from finetrieve.evaluation.arms import COMPARED_METRICS
from finetrieve.evaluation.bootstrap import difference, resampled_means
from finetrieve.evaluation.evaluate import evaluate
from finetrieve.evaluation.formats import TUNED_ARMS
from finetrieve.evaluation.result import Comparison
from finetrieve.evaluation.settings import EvaluationTask
from finetrieve.evaluation.verdict import own_base

CANDIDATE_ARMS = {arm: own_base(arm) for arm in TUNED_ARMS}
"""Arms that a trained model takes part in -> the arm it stands against while nothing is in production."""


def compare_models(
    other_model: Path, scores_per_query: pa.Table, corpus: Corpus, pairs: pa.Table, task: EvaluationTask
) -> list[Comparison]:
    """Returns how the model of `scores_per_query` differs from another one, which is asked the same questions.

    The rows are those of `compare_scores`; there are none where the settings name no arm that a trained model takes part in.
    """
    arms = [arm for arm in task.evaluation.arms if arm in CANDIDATE_ARMS]
    if not arms:
        return []
    asked = task.evaluation.model_copy(update={"arms": arms, "dimensions": [], "bill": False})
    found = evaluate(other_model, None, corpus, pairs, task.model_copy(update={"evaluation": asked}), reporter)
    return compare_scores(scores_per_query, found.per_query, asked.bootstrap_samples, task.seed)


def compare_scores(candidate: pa.Table, other: pa.Table, samples: int, seed: int) -> list[Comparison]:
    """Returns how the candidate differs from another model per evaluation set, arm and metric, on the questions of both.

    `value` and `value_against` are the means.

    Args:
        candidate: `eval_set`, `query_id`, `arm` and a column per metric: a row per question.
        other: The same of the model to compare with.
        samples: Bootstrap resamples.
        seed: Of the bootstrap.
    """
    rows = []
    for eval_set in pc.unique(candidate.column("eval_set")).to_pylist():
        for arm in CANDIDATE_ARMS:
            values, against = _paired(_part(candidate, eval_set, arm), _part(other, eval_set, arm))
            if len(values):
                rows += _differences(eval_set, arm, values, against, samples, seed)
    return rows


def _part(scores: pa.Table, eval_set: str, arm: str) -> dict[str, list[float]]:
    """Returns query id -> its metrics, in the order of `COMPARED_METRICS`."""
    part = scores.filter((pc.field("eval_set") == eval_set) & (pc.field("arm") == arm))
    columns = [part.column(name).to_pylist() for name in COMPARED_METRICS]
    return dict(zip(part.column("query_id").to_pylist(), map(list, zip(*columns, strict=True)), strict=True))


def _paired(
    candidate: Mapping[str, list[float]], other: Mapping[str, list[float]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Returns both models' metrics `(n_queries, n_metrics)` on the questions that both were asked."""
    shared = [query for query in candidate if query in other]
    shape = (len(shared), len(COMPARED_METRICS))
    first = np.array([candidate[query] for query in shared], np.float64).reshape(shape)
    return first, np.array([other[query] for query in shared], np.float64).reshape(shape)


def _differences(
    eval_set: str, arm: str, values: npt.NDArray[np.float64], against: npt.NDArray[np.float64], samples: int, seed: int
) -> list[Comparison]:
    n_metrics = values.shape[1]
    means = resampled_means(np.concatenate([values, against], axis=1), samples, seed)  # (samples, 2 * n_metrics)
    rows = []
    for column, metric in enumerate(COMPARED_METRICS):
        found = difference(values[:, column], against[:, column], means[:, column], means[:, n_metrics + column])
        averages = {"value": float(values[:, column].mean()), "value_against": float(against[:, column].mean())}
        facts = averages | asdict(found)
        rows.append(Comparison(eval_set=eval_set, arm=arm, metric=metric, n_queries=len(values), **facts))
    return rows
