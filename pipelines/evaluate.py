"""evaluate: load_chunks -> import_model -> evaluate_model -> build_report, for any model and any evaluation set."""

from __future__ import annotations

from typing import Any

from zenml import pipeline

from finetrieve.app.config import Config, plain
from finetrieve.app.earlier_runs import find_trained_model, find_training_pairs
from finetrieve.app.preflight import LATEST, Inputs
from pipelines.tracking import wire_tracking
from steps.corpus import load_chunks
from steps.evaluation import build_report, evaluate_model
from steps.training import import_model


@pipeline(name="evaluate")
def evaluate(config: dict[str, Any], inputs: dict[str, Any], run_metadata: dict[str, Any]) -> None:  # noqa: ARG001 (recorded with the run)
    """Scores a model beside the base model and BM25; generated queries are used where an earlier run made some."""
    _wire_evaluation(Config.model_validate(config), Inputs.model_validate(inputs))


def _wire_evaluation(config: Config, inputs: Inputs) -> None:
    chunks, documents, duplicates, corpus_report = load_chunks(
        source=plain(config.source),
        settings=plain(config.chunks),
        base_model=config.training.base_model,
        base_model_fingerprint=inputs.base_model,
        documents_fingerprint=inputs.documents,
    )
    named = config.evaluation.model
    latest = named == LATEST
    scores, _, details = evaluate_model(
        model=find_trained_model(inputs) if latest else import_model(model=named, model_fingerprint=inputs.evaluated_model),
        chunks=chunks,
        documents=documents,
        duplicates=duplicates,
        settings=plain(config.evaluation),
        chunk_settings=plain(config.chunks),
        base_model=config.training.base_model,
        base_model_fingerprint=inputs.base_model,
        eval_set_fingerprints=inputs.eval_sets,
        seed=config.seed,
        pairs=find_training_pairs(inputs),
    )
    _, metrics = build_report(
        scores=scores,
        evaluation_details=details,
        corpus_report=corpus_report,
        chunks=chunks,
        configuration=config.as_yaml(),
        seed=config.seed,
        headline_arm=config.evaluation.headline_arm,
    )
    wire_tracking(metrics)
