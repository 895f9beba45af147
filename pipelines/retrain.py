"""retrain: generate and finetune in one run; the main job, and what a schedule runs."""

from __future__ import annotations

from typing import Any

from zenml import pipeline

from finetrieve.app.config import Config
from finetrieve.app.preflight import Inputs
from finetrieve.app.run_metadata import RunMetadata
from pipelines.finetune import wire_finetuning
from pipelines.generate import wire_generation
from pipelines.review import wire_push
from pipelines.shared import fingerprint_at_run_time
from steps.promotion import notify


@pipeline(name="retrain")
def retrain(config: dict[str, Any], run_metadata: dict[str, Any], inputs: dict[str, Any] | None = None) -> None:
    """Writes queries for the documentation, trains on them, evaluates, and promotes the model or not.

    Without `inputs` they are looked at when it runs, and people are told how it ended: nobody watches a scheduled run.
    """
    settings, metadata = Config.model_validate(config), RunMetadata.model_validate(run_metadata)
    fingerprints = fingerprint_at_run_time("retrain", settings) if inputs is None else Inputs.model_validate(inputs)
    made = wire_generation(settings, fingerprints)
    pushed = wire_push(settings, fingerprints, made)
    metrics, decision = wire_finetuning(settings, fingerprints, made, metadata, pushed)
    if inputs is None:
        notify(metrics=metrics, promotion_decision=decision)
