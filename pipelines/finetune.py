"""finetune: [pull_annotations, load_pairs, label_queries ->] split_queries -> train_model -> evaluate_model -> ... -> promote."""

from __future__ import annotations

from typing import Any

from zenml import pipeline

from finetrieve.app.config import Config, plain
from finetrieve.app.earlier_runs import find_generated_queries
from finetrieve.app.preflight import Inputs
from finetrieve.app.run_metadata import RunMetadata
from pipelines.artifacts import Generated, RuntimeFingerprints
from pipelines.base_models import wire_training
from pipelines.own_data import wire_own_pairs, wire_own_queries
from pipelines.review import wire_comparison, wire_pull
from pipelines.tracking import wire_tracking
from steps.evaluation import build_report, compare_with_production
from steps.promotion import find_production, promote
from steps.training import split_queries


def wire_finetuning(
    config: Config, inputs: Inputs | RuntimeFingerprints, made: Generated, run_metadata: RunMetadata, pushed: bool = False
) -> tuple[Any, Any]:
    """Returns the metrics and the decision on the model, after wiring the steps inside the pipeline that calls this.

    `pushed` says whether the same pipeline sends queries to people first.
    """
    reviewed = wire_pull(config, made, pushed)
    own = wire_own_pairs(config, inputs, made)
    asked = wire_own_queries(config, inputs, made)
    pairs, ranking_lists, split_report = split_queries(
        queries=made.queries,
        chunks=made.chunks,
        documents=made.documents,
        settings=plain(config.split),
        eval_sets=[plain(settings) for settings in config.evaluation.eval_sets],
        eval_set_fingerprints=inputs.eval_sets,
        **(reviewed.split_arguments if reviewed else {}),
        **(own.split_arguments if own else {}),
        **(asked.split_arguments if asked else {}),
    )
    trained = wire_training(config, inputs, made, pairs, ranking_lists, own.free_texts if own else None)
    _, metrics = build_report(
        scores=trained.scores,
        evaluation_details=trained.details,
        corpus_report=made.corpus_report,
        chunks=made.chunks,
        configuration=config.as_yaml(),
        seed=config.seed,
        training_record=trained.training_record,
        generation_report=made.generation_report,
        curation_report=made.curation_report,
        split_report=split_report,
        queries=made.queries,
        rejected_queries=made.rejected_queries,
        annotation_report=reviewed.annotation_report if reviewed else None,
        review_effect=wire_comparison(config, inputs, made, pairs, trained.scores_per_query),
        pairs_report=own.pairs_report if own else None,
        queries_report=asked.queries_report if asked else None,
        headline_arm=config.evaluation.headline_arm,
        base_models=trained.base_models,
    )
    comparison = compare_with_production(
        model=trained.model,
        production_model=find_production(model_name=config.model_name),
        scores_per_query=trained.scores_per_query,
        chunks=made.chunks,
        documents=made.documents,
        duplicates=made.duplicates,
        pairs=pairs,
        settings=plain(config.evaluation),
        chunk_settings=plain(config.chunks),
        eval_set_fingerprints=inputs.eval_sets,
        seed=config.seed,
    )
    decision, _ = promote(
        model=trained.model,
        chunks=made.chunks,
        metrics=metrics,
        comparison_with_production=comparison,
        model_name=config.model_name,
        run_metadata=plain(run_metadata),
    )
    wire_tracking(metrics, decision)
    return metrics, decision


@pipeline(name="finetune")
def finetune(config: dict[str, Any], inputs: dict[str, Any], run_metadata: dict[str, Any]) -> None:
    """Trains on the queries that the last generation on these documents made, evaluates, and promotes the model or not."""
    fingerprints = Inputs.model_validate(inputs)
    made = Generated(**find_generated_queries(fingerprints, Generated._fields))
    wire_finetuning(Config.model_validate(config), fingerprints, made, RunMetadata.model_validate(run_metadata))
