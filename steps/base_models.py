"""Steps that train and evaluate one of several base models, and that choose among them.

A base model that fails is a result like the others: its error is recorded, and the steps of the others run.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

import pyarrow as pa
from zenml import step

from finetrieve.core.base_model_report import BaseModelComparison
from finetrieve.core.logging import get_logger
from finetrieve.core.model_directory import ModelDirectory
from finetrieve.core.paths import scratch_folder
from finetrieve.core.progress import reporter
from finetrieve.core.rows import Chunk, DocumentEntry, DuplicateChunk, Pair, RankedChunk
from finetrieve.core.tables import to_rows
from finetrieve.core.training_record import TrainingRecord
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.evaluation.base_models import TriedModel
from finetrieve.evaluation.base_models import choose_base_model as choose
from finetrieve.evaluation.details import EvaluationDetails
from finetrieve.evaluation.evaluate import evaluate
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.evaluation.settings import EvaluationSettings
from finetrieve.registry.base_model_steps import do_not_cache, failure_line, no_model
from finetrieve.training.checkpoints import checkpoint_root
from finetrieve.training.settings import TrainingSettings
from steps.caching import cache_policy
from steps.materializers import JsonMaterializer, ModelMaterializer, TableMaterializer

logger = get_logger(__name__)


@step(
    cache_policy=cache_policy(__file__, "train_base_model"),
    output_materializers={"candidate": ModelMaterializer, "candidate_record": JsonMaterializer},
)
def train_base_model(
    pairs: pa.Table,
    chunks: pa.Table,
    settings: dict[str, Any],
    seed: int,
    base_model_fingerprint: list[str],  # noqa: ARG001 (part of the cache key)
    ranking_lists: pa.Table | None = None,
    free_texts: pa.Table | None = None,
) -> tuple[
    Annotated[ModelDirectory, "candidate"],
    Annotated[TrainingRecord, "candidate_record"],
    Annotated[str, "candidate_error"],
]:
    """Returns the trained model, the record of its training, and an empty text; or why it could not be trained."""
    training = TrainingSettings.model_validate(settings)
    try:
        from finetrieve.training.train import train_model as train

        result = train(
            to_rows(pairs, Pair),
            [*to_rows(chunks, Chunk), *(to_rows(free_texts, Chunk) if free_texts is not None else [])],
            training,
            training.base_model,
            scratch_folder() / "model",
            checkpoint_root(),
            seed,
            reporter(f"Training ({training.base_model})"),
            to_rows(ranking_lists, RankedChunk) if ranking_lists is not None else [],
        )
    except Exception as error:  # whatever it is, the other base models are to be tried
        logger.warning(f"Base model '{training.base_model}' is left out: {failure_line(error)}")
        do_not_cache()
        return no_model(), TrainingRecord(base_model=training.base_model), failure_line(error)
    logger.info(f"'{training.base_model}' trained in {result.record.seconds:.0f} s")
    return ModelDirectory(result.model_dir), result.record, ""


@step(
    cache_policy=cache_policy(__file__, "evaluate_base_model"),
    output_materializers={
        "candidate_scores": JsonMaterializer,
        "candidate_scores_per_query": TableMaterializer,
        "candidate_details": JsonMaterializer,
    },
)
def evaluate_base_model(
    candidate: ModelDirectory,
    candidate_error: str,
    chunks: pa.Table,
    documents: pa.Table,
    duplicates: pa.Table,
    settings: dict[str, Any],
    chunk_settings: dict[str, Any],
    base_model: str,
    base_model_fingerprint: list[str],  # noqa: ARG001 (part of the cache key)
    eval_set_fingerprints: list[str],  # noqa: ARG001 (part of the cache key)
    seed: int,
    pairs: pa.Table,
) -> tuple[
    Annotated[EvaluationResult, "candidate_scores"],
    Annotated[pa.Table, "candidate_scores_per_query"],
    Annotated[EvaluationDetails, "candidate_details"],
    Annotated[dict[str, Any], "candidate_outcome"],
]:
    """Returns what `evaluate_model` does of one base model and what became of it, and what went wrong if something did."""
    started, error_line = time.monotonic(), candidate_error
    if not error_line:
        try:
            found = evaluate(
                model=candidate.path,
                base_model=base_model,
                pairs=to_rows(pairs, Pair),
                chunks=to_rows(chunks, Chunk),
                documents=to_rows(documents, DocumentEntry),
                duplicates=to_rows(duplicates, DuplicateChunk),
                settings=EvaluationSettings.model_validate(settings),
                chunk_settings=ChunkSettings.model_validate(chunk_settings),
                seed=seed,
                progress=reporter,
            )
            outcome = {"base_model": base_model, "error": "", "seconds": time.monotonic() - started}
            return found.metrics, found.per_query, found.details, outcome
        except Exception as error:  # as above
            error_line = failure_line(error)
            logger.warning(f"Base model '{base_model}' is left out: {error_line}")
    do_not_cache()
    nothing = EvaluationDetails(examples={}, similarities={})
    return EvaluationResult(), pa.table({}), nothing, {"base_model": base_model, "error": error_line, "seconds": 0.0}


@step(
    cache_policy=cache_policy(__file__, "choose_base_model"),
    output_materializers={
        "model": ModelMaterializer,
        "training_record": JsonMaterializer,
        "scores": JsonMaterializer,
        "scores_per_query": TableMaterializer,
        "evaluation_details": JsonMaterializer,
        "base_models": JsonMaterializer,
    },
)
def choose_base_model(
    candidates: list[ModelDirectory],
    records: list[TrainingRecord],
    scores: list[EvaluationResult],
    scores_per_query: list[pa.Table],
    details: list[EvaluationDetails],
    outcomes: list[dict[str, Any]],
    settings: dict[str, Any],
    seed: int,
) -> tuple[
    Annotated[ModelDirectory, "model"],
    Annotated[TrainingRecord, "training_record"],
    Annotated[EvaluationResult, "scores"],
    Annotated[pa.Table, "scores_per_query"],
    Annotated[EvaluationDetails, "evaluation_details"],
    Annotated[BaseModelComparison, "base_models"],
]:
    """Returns what `train_model` and `evaluate_model` do, of the base model that won, and how all of them compare."""
    evaluation = EvaluationSettings.model_validate(settings)
    tried = [
        TriedModel(
            str(outcome["base_model"]), str(outcome["error"]), model.path, record, found, per_query, float(outcome["seconds"])
        )
        for model, record, found, per_query, outcome in zip(candidates, records, scores, scores_per_query, outcomes, strict=True)
    ]
    best, comparison = choose(tried, evaluation.headline_arm, evaluation.bootstrap_samples, seed)
    if any(item.error for item in tried):
        do_not_cache()
    logger.info(f"Of {len(tried)} base models '{tried[best].base_model}' is the best")
    winner = tried[best]
    return ModelDirectory(winner.model), winner.record, winner.scores, winner.per_query, details[best], comparison
