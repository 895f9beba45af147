"""finetune: split_queries -> train_model -> evaluate_model -> build_report, on queries that `generate` made."""

from __future__ import annotations

from typing import Any

from zenml import pipeline

from pipelines.config import Config, plain
from pipelines.generate import Generated
from pipelines.history import generated_queries
from pipelines.preflight import Inputs
from steps.evaluation.build_report import build_report
from steps.evaluation.evaluate_model import evaluate_model
from steps.training.split_queries import split_queries
from steps.training.train_model import train_model


def wire_finetuning(config: Config, inputs: Inputs, made: Generated) -> None:
    """Wires the four steps inside the pipeline that calls this."""
    eval_sets, fingerprints = [plain(settings) for settings in config.evaluation.eval_sets], list(inputs.eval_sets)
    pairs, split_report = split_queries(made.queries, made.chunks, made.documents, plain(config.split), eval_sets, fingerprints)
    model, training_record = train_model(pairs, made.chunks, plain(config.training), config.seed, inputs.base_model)
    scores, _, details = evaluate_model(
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
    build_report(
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
    )


@pipeline(name="finetune")
def finetune(config: dict[str, Any], inputs: dict[str, Any]) -> None:
    """Trains on the queries that the last generation on these documents made, and evaluates."""
    fingerprints = Inputs.model_validate(inputs)
    wire_finetuning(Config.model_validate(config), fingerprints, generated_queries(fingerprints))
