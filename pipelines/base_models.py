"""The part of finetune that trains and evaluates: train_model -> evaluate_model; of several base models, all and the choice."""

from __future__ import annotations

from typing import Any, NamedTuple

from finetrieve.app.config import Config, plain
from finetrieve.app.preflight import Inputs
from pipelines.shared import Fingerprints, Generated, evaluation_arguments
from steps.base_models import choose_base_model, evaluate_base_model, train_base_model
from steps.evaluation import evaluate_model
from steps.training import train_model


class Trained(NamedTuple):
    """The artifacts of a training and its evaluation; of several base models, those of the best."""

    model: Any
    training_record: Any
    scores: Any
    scores_per_query: Any
    details: Any
    base_models: Any = None
    """How all of them compare, where there are several."""


def wire_training(
    config: Config, inputs: Fingerprints, made: Generated, pairs: Any, ranking_lists: Any, free_texts: Any
) -> Trained:
    """Wires the training and the evaluation inside the pipeline that calls this."""
    trained_on = {"chunks": made.chunks, "pairs": pairs, "ranking_lists": ranking_lists, "free_texts": free_texts}
    trained_on["teacher_fingerprint"] = inputs.teacher
    evaluated_on = {**evaluation_arguments(config, inputs, made), "pairs": pairs}
    if len(config.training.base_models) > 1:
        return _wire_several(config, inputs, trained_on, evaluated_on)
    model, training_record = train_model(
        settings=plain(config.training), seed=config.seed, base_model_fingerprint=inputs.base_model, **trained_on
    )
    scores, scores_per_query, details = evaluate_model(
        model=model, base_model=config.training.base_model, base_model_fingerprint=inputs.base_model, **evaluated_on
    )
    return Trained(model, training_record, scores, scores_per_query, details)


def _wire_several(config: Config, inputs: Fingerprints, trained_on: dict[str, Any], evaluated_on: dict[str, Any]) -> Trained:
    """Wires a training and an evaluation for each base model -> choose_base_model."""
    tried = []
    for number, base_model in enumerate(config.training.base_models):
        # A schedule's fingerprints are one artifact; else each base model has its own, and one more leaves the others cached.
        fingerprint = [inputs.base_models[number]] if isinstance(inputs, Inputs) else inputs.base_models
        candidate, record, error = train_base_model(
            settings=plain(config.training.of(base_model)),
            seed=config.seed,
            base_model_fingerprint=fingerprint,
            id=f"train_base_model_{number + 1}",
            **trained_on,
        )
        evaluated = evaluate_base_model(
            candidate=candidate,
            candidate_error=error,
            base_model=base_model,
            base_model_fingerprint=fingerprint,
            id=f"evaluate_base_model_{number + 1}",
            **evaluated_on,
        )
        tried.append((candidate, record, *evaluated))
    names = ("candidates", "records", "scores", "scores_per_query", "details", "outcomes")
    columns: dict[str, Any] = {name: list(column) for name, column in zip(names, zip(*tried, strict=True), strict=True)}
    return Trained(*choose_base_model(task=evaluated_on["task"], **columns))
