"""The part of finetune that trains and evaluates: train_model -> evaluate_model; of several base models, all and the choice."""

from __future__ import annotations

from typing import Any, NamedTuple

from finetrieve.app.config import Config, plain
from finetrieve.app.preflight import Inputs
from pipelines.artifacts import Generated, RuntimeFingerprints
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
    config: Config, inputs: Inputs | RuntimeFingerprints, made: Generated, pairs: Any, ranking_lists: Any, free_texts: Any
) -> Trained:
    """Wires the training and the evaluation inside the pipeline that calls this."""
    if len(config.training.base_models) > 1:
        return _wire_several(config, inputs, made, pairs, ranking_lists, free_texts)
    model, training_record = train_model(
        pairs=pairs,
        chunks=made.chunks,
        settings=plain(config.training),
        seed=config.seed,
        base_model_fingerprint=inputs.base_model,
        ranking_lists=ranking_lists,
        free_texts=free_texts,
    )
    scores, scores_per_query, details = evaluate_model(
        model=model,
        chunks=made.chunks,
        documents=made.documents,
        duplicates=made.duplicates,
        settings=plain(config.evaluation),
        chunk_settings=plain(config.chunks),
        base_model=config.training.base_model,
        base_model_fingerprint=inputs.base_model,
        eval_set_fingerprints=inputs.eval_sets,
        seed=config.seed,
        pairs=pairs,
    )
    return Trained(model, training_record, scores, scores_per_query, details)


def _wire_several(
    config: Config, inputs: Inputs | RuntimeFingerprints, made: Generated, pairs: Any, ranking_lists: Any, free_texts: Any
) -> Trained:
    """Wires a training and an evaluation for each base model -> choose_base_model."""
    trained, evaluated = [], []
    for number, base_model in enumerate(config.training.base_models):
        # A schedule's fingerprints are one artifact; else each base model has its own, and one more leaves the others cached.
        fingerprint = [inputs.base_models[number]] if isinstance(inputs, Inputs) else inputs.base_models
        candidate = train_base_model(
            pairs=pairs,
            chunks=made.chunks,
            settings=plain(config.training.of(base_model)),
            seed=config.seed,
            base_model_fingerprint=fingerprint,
            ranking_lists=ranking_lists,
            free_texts=free_texts,
            id=f"train_base_model_{number + 1}",
        )
        trained.append(candidate)
        evaluated.append(
            evaluate_base_model(
                candidate=candidate[0],
                candidate_error=candidate[2],
                chunks=made.chunks,
                documents=made.documents,
                duplicates=made.duplicates,
                settings=plain(config.evaluation),
                chunk_settings=plain(config.chunks),
                base_model=base_model,
                base_model_fingerprint=fingerprint,
                eval_set_fingerprints=inputs.eval_sets,
                seed=config.seed,
                pairs=pairs,
                id=f"evaluate_base_model_{number + 1}",
            )
        )
    return Trained(
        *choose_base_model(
            candidates=[found[0] for found in trained],
            records=[found[1] for found in trained],
            scores=[found[0] for found in evaluated],
            scores_per_query=[found[1] for found in evaluated],
            details=[found[2] for found in evaluated],
            outcomes=[found[3] for found in evaluated],
            settings=plain(config.evaluation),
            seed=config.seed,
        )
    )
