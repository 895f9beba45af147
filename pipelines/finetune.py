"""finetune: [pull_annotations ->] split_queries -> train_model -> evaluate_model -> build_report -> promote."""

from __future__ import annotations

from typing import Any

from zenml import pipeline

from finetrieve.app.config import Config, plain
from finetrieve.app.earlier_runs import generated_queries
from finetrieve.app.preflight import Inputs
from finetrieve.app.provenance import Origin
from finetrieve.app.remote.live_inputs import LiveInputs
from pipelines.artifacts import Generated
from pipelines.review import wire_comparison, wire_pull
from steps.build_report import build_report
from steps.compare_with_production import compare_with_production
from steps.evaluate_model import evaluate_model
from steps.find_production import find_production
from steps.promote import promote
from steps.split_queries import split_queries
from steps.train_model import train_model


def wire_finetuning(
    config: Config, inputs: Inputs | LiveInputs, made: Generated, origin: Origin, pushed: bool = False
) -> tuple[Any, Any]:
    """Returns the metrics and the decision on the model, after wiring the steps inside the pipeline that calls this.

    `pushed` says whether the same pipeline sends queries to people first.
    """
    eval_sets, fingerprints = [plain(settings) for settings in config.evaluation.eval_sets], inputs.eval_sets
    reviewed = wire_pull(config, made, pushed)
    pairs, split_report = split_queries(
        made.queries,
        made.chunks,
        made.documents,
        plain(config.split),
        eval_sets,
        fingerprints,
        **(reviewed.split_arguments if reviewed else {}),
    )
    model, training_record = train_model(pairs, made.chunks, plain(config.training), config.seed, inputs.base_model)
    scores, scores_per_query, details = evaluate_model(
        model,
        made.chunks,
        made.documents,
        made.duplicates,
        plain(config.evaluation),
        plain(config.chunks),
        config.training.base_model,
        inputs.base_model,
        fingerprints,
        config.seed,
        pairs=pairs,
    )
    _, metrics = build_report(
        scores,
        details,
        made.corpus_report,
        made.chunks,
        config.as_yaml(),
        config.seed,
        training_record=training_record,
        generation_report=made.generation_report,
        curation_report=made.curation_report,
        split_report=split_report,
        queries=made.queries,
        rejected_queries=made.rejected_queries,
        annotation_report=reviewed.annotation_report if reviewed else None,
        review_effect=wire_comparison(config, inputs, made, pairs, scores_per_query),
        headline_arm=config.evaluation.headline_arm,
    )
    comparison = compare_with_production(
        model,
        find_production(config.model_name),
        scores_per_query,
        made.chunks,
        made.documents,
        made.duplicates,
        pairs,
        plain(config.evaluation),
        plain(config.chunks),
        fingerprints,
        config.seed,
    )
    decision, _ = promote(model, made.chunks, metrics, comparison, config.model_name, plain(origin))
    return metrics, decision


@pipeline(name="finetune")
def finetune(config: dict[str, Any], inputs: dict[str, Any], origin: dict[str, Any]) -> None:
    """Trains on the queries that the last generation on these documents made, evaluates, and promotes the model or not."""
    fingerprints = Inputs.model_validate(inputs)
    wire_finetuning(Config.model_validate(config), fingerprints, generated_queries(fingerprints), Origin.model_validate(origin))
