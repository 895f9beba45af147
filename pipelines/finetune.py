"""finetune: [pull_annotations, load_pairs, label_queries ->] split_queries -> train_model -> evaluate_model -> ... -> promote."""

from __future__ import annotations

from typing import Any

from zenml import pipeline

from finetrieve.app.config import Config, plain
from finetrieve.app.earlier_runs import find_generated_queries
from finetrieve.app.preflight import Inputs
from finetrieve.app.run_metadata import RunMetadata
from pipelines.base_models import wire_training
from pipelines.own_data import wire_own_data
from pipelines.review import review_settings, wire_comparison, wire_pull
from pipelines.shared import Fingerprints, Generated, evaluation_arguments, split_arguments, wire_tracking
from steps.evaluation import build_report, compare_with_production
from steps.promotion import find_production, promote
from steps.training import split_queries


def wire_finetuning(
    config: Config, inputs: Fingerprints, made: Generated, run_metadata: RunMetadata, pushed: bool = False
) -> tuple[Any, Any]:
    """Returns the metrics and the decision on the model, after wiring the steps inside the pipeline that calls this.

    `pushed` says whether the same pipeline sends queries to people first.
    """
    reviewed = wire_pull(config, made, pushed)
    own = wire_own_data(config, inputs, made)
    pairs, ranking_lists, split_report = split_queries(
        annotations=reviewed.annotations,
        labelled_pairs=own.labelled_pairs,
        clicked_pairs=own.clicked_pairs,
        pseudo_labels=own.pseudo_labels,
        **split_arguments(config, inputs, made, pairs=config.pairs, query_logs=config.query_logs, **review_settings(config)),
    )
    trained = wire_training(config, inputs, made, pairs, ranking_lists, own.free_texts)
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
        annotation_report=reviewed.annotation_report,
        review_effect=wire_comparison(config, inputs, made, pairs, trained.scores_per_query),
        pairs_report=own.pairs_report,
        queries_report=own.queries_report,
        headline_arm=config.evaluation.headline_arm,
        base_models=trained.base_models,
    )
    comparison = compare_with_production(
        model=trained.model,
        production_model=find_production(model_name=config.model_name),
        scores_per_query=trained.scores_per_query,
        pairs=pairs,
        **evaluation_arguments(config, inputs, made),
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
