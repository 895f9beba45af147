"""evaluate: load_chunks -> import_model -> evaluate_model -> build_report, for any model and any evaluation set."""

from __future__ import annotations

from typing import Any

from zenml import pipeline

from finetrieve.app.config import Config
from finetrieve.app.earlier_runs import find_trained_model, find_training_pairs
from finetrieve.app.preflight import LATEST, Inputs, evaluates_base_model
from pipelines.shared import evaluation_arguments, wire_documents, wire_tracking
from steps.evaluation import build_report, evaluate_model
from steps.training import import_model


@pipeline(name="evaluate")
def evaluate(config: dict[str, Any], inputs: dict[str, Any], run_metadata: dict[str, Any]) -> None:  # noqa: ARG001 (recorded with the run)
    """Scores a model beside the base model and BM25; generated queries are used where an earlier run made some.

    Where the named model is the base model, it is scored once, as that.
    """
    settings, fingerprints = Config.model_validate(config), Inputs.model_validate(inputs)
    made = wire_documents(settings, fingerprints)
    named = settings.evaluation.model
    if named == LATEST:
        model = find_trained_model(fingerprints)
    elif evaluates_base_model(fingerprints):
        model = None
    else:
        model = import_model(model=named, model_fingerprint=fingerprints.evaluated_model)
    scores, _, details = evaluate_model(
        model=model,
        base_model=settings.training.base_model,
        base_model_fingerprint=fingerprints.base_model,
        pairs=find_training_pairs(fingerprints),
        **evaluation_arguments(settings, fingerprints, made),
    )
    _, metrics = build_report(
        scores=scores,
        evaluation_details=details,
        corpus_report=made.corpus_report,
        chunks=made.chunks,
        configuration=settings.as_yaml(),
        seed=settings.seed,
        headline_arm=settings.evaluation.headline_arm,
    )
    wire_tracking(metrics)
