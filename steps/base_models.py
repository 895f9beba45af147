"""Steps that train and evaluate one of several base models, and that choose among them.

A base model that fails is a result like the others: its error is recorded, and the steps of the others run.
"""

from __future__ import annotations

import time
from typing import Annotated

import pyarrow as pa
from zenml import step

from finetrieve.core.base_model_report import BaseModelComparison, BaseModelOutcome
from finetrieve.core.corpus import Corpus
from finetrieve.core.logging import get_logger
from finetrieve.core.model_directory import ModelDirectory
from finetrieve.core.progress import reporter
from finetrieve.core.training_record import TrainingRecord
from finetrieve.evaluation.base_models import TriedModel
from finetrieve.evaluation.base_models import choose_base_model as choose
from finetrieve.evaluation.details import EvaluationDetails
from finetrieve.evaluation.evaluate import evaluate
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.evaluation.settings import EvaluationTask
from finetrieve.registry.base_model_steps import do_not_cache, failure_line, no_model
from finetrieve.training.settings import TrainingSettings
from steps.caching import cache_policy

logger = get_logger(__name__)


@step(cache_policy=cache_policy(__file__, "train_base_model"))
def train_base_model(
    pairs: pa.Table,
    chunks: pa.Table,
    settings: TrainingSettings,
    seed: int,
    base_model_fingerprint: list[str],  # noqa: ARG001 (part of the cache key)
    teacher_fingerprint: str,  # noqa: ARG001 (part of the cache key)
    ranking_lists: pa.Table | None = None,
    free_texts: pa.Table | None = None,
) -> tuple[
    Annotated[ModelDirectory, "candidate"],
    Annotated[TrainingRecord, "candidate_record"],
    Annotated[str, "candidate_error"],
]:
    """Returns the trained model, the record of its training, and an empty text; or why it could not be trained."""
    name = settings.base_model
    try:
        from finetrieve.training.train import train_on_tables

        model, record = train_on_tables(pairs, chunks, settings, seed, ranking_lists, free_texts, f"Training ({name})")
    except Exception as error:  # whatever it is, the other base models are to be tried
        logger.warning(f"Base model '{name}' is left out: {failure_line(error)}")
        do_not_cache()
        return no_model(), TrainingRecord(base_model=name), failure_line(error)
    logger.info(f"'{name}' trained in {record.seconds:.0f} s")
    return model, record, ""


@step(cache_policy=cache_policy(__file__, "evaluate_base_model"))
def evaluate_base_model(
    candidate: ModelDirectory,
    candidate_error: str,
    chunks: pa.Table,
    documents: pa.Table,
    duplicates: pa.Table,
    task: EvaluationTask,
    base_model: str,
    base_model_fingerprint: list[str],  # noqa: ARG001 (part of the cache key)
    eval_set_fingerprints: list[str],  # noqa: ARG001 (part of the cache key)
    pairs: pa.Table,
) -> tuple[
    Annotated[EvaluationResult, "candidate_scores"],
    Annotated[pa.Table, "candidate_scores_per_query"],
    Annotated[EvaluationDetails, "candidate_details"],
    Annotated[BaseModelOutcome, "candidate_outcome"],
]:
    """Returns what `evaluate_model` does of one base model and what became of it, and what went wrong if something did."""
    started, error_line = time.monotonic(), candidate_error
    if not error_line:
        try:
            found = evaluate(candidate.path, base_model, Corpus(chunks, documents, duplicates), pairs, task, reporter)
            outcome = BaseModelOutcome(base_model=base_model, seconds=time.monotonic() - started)
            return found.metrics, found.per_query, found.details, outcome
        except Exception as error:  # as above
            error_line = failure_line(error)
            logger.warning(f"Base model '{base_model}' is left out: {error_line}")
    do_not_cache()
    nothing = EvaluationDetails(examples={}, similarities={})
    return EvaluationResult(), pa.table({}), nothing, BaseModelOutcome(base_model=base_model, error=error_line)


@step(cache_policy=cache_policy(__file__, "choose_base_model"))
def choose_base_model(
    candidates: list[ModelDirectory],
    records: list[TrainingRecord],
    scores: list[EvaluationResult],
    scores_per_query: list[pa.Table],
    details: list[EvaluationDetails],
    outcomes: list[BaseModelOutcome],
    task: EvaluationTask,
) -> tuple[
    Annotated[ModelDirectory, "model"],
    Annotated[TrainingRecord, "training_record"],
    Annotated[EvaluationResult, "scores"],
    Annotated[pa.Table, "scores_per_query"],
    Annotated[EvaluationDetails, "evaluation_details"],
    Annotated[BaseModelComparison, "base_models"],
]:
    """Returns what `train_model` and `evaluate_model` do, of the base model that won, and how all of them compare."""
    tried = [
        TriedModel(outcome.base_model, outcome.error, model.path, record, found, per_query, outcome.seconds)
        for model, record, found, per_query, outcome in zip(candidates, records, scores, scores_per_query, outcomes, strict=True)
    ]
    best, comparison = choose(tried, task.evaluation.headline_arm, task.evaluation.bootstrap_samples, task.seed)
    if any(item.error for item in tried):
        do_not_cache()
    logger.info(f"Of {len(tried)} base models '{tried[best].base_model}' is the best")
    winner = tried[best]
    return ModelDirectory(winner.model), winner.record, winner.scores, winner.per_query, details[best], comparison
