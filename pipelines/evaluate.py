"""evaluate: load_chunks -> import_model -> evaluate_model -> build_report, for any model and any evaluation set."""

from __future__ import annotations

from typing import Any

from zenml import pipeline

from finetrieve.app.config import Config, plain
from finetrieve.app.earlier_runs import trained_model, training_pairs
from finetrieve.app.preflight import LATEST, Inputs
from steps.build_report import build_report
from steps.evaluate_model import evaluate_model
from steps.import_model import import_model
from steps.load_chunks import load_chunks


@pipeline(name="evaluate")
def evaluate(config: dict[str, Any], inputs: dict[str, Any], origin: dict[str, Any]) -> None:  # noqa: ARG001 (recorded with the run)
    """Scores a model beside the base model and BM25; generated queries are used where an earlier run made some."""
    _wire_evaluation(Config.model_validate(config), Inputs.model_validate(inputs))


def _wire_evaluation(config: Config, inputs: Inputs) -> None:
    chunks, documents, duplicates, corpus_report = load_chunks(
        plain(config.source), plain(config.chunks), config.training.base_model, inputs.base_model, inputs.documents
    )
    named = config.evaluation.model
    model = trained_model(inputs) if named == LATEST else import_model(named, inputs.evaluated_model)
    scores, _, details = evaluate_model(
        model,
        chunks,
        documents,
        duplicates,
        plain(config.evaluation),
        plain(config.chunks),
        config.training.base_model,
        inputs.base_model,
        inputs.eval_sets,
        config.seed,
        pairs=training_pairs(inputs),
    )
    headline_arm = config.evaluation.headline_arm
    build_report(scores, details, corpus_report, chunks, config.as_yaml(), config.seed, headline_arm=headline_arm)
