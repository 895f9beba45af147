"""retrain: generate and finetune in one run; the main job, and what a schedule runs."""

from __future__ import annotations

from typing import Any

from zenml import pipeline

from pipelines.config import Config
from pipelines.finetune import wire_finetuning
from pipelines.generate import wire_generation
from pipelines.origin import Origin
from pipelines.preflight import Inputs


@pipeline(name="retrain")
def retrain(config: dict[str, Any], inputs: dict[str, Any], origin: dict[str, Any]) -> None:
    """Writes queries for the documentation, trains on them, evaluates, and promotes the model or not."""
    settings, fingerprints = Config.model_validate(config), Inputs.model_validate(inputs)
    wire_finetuning(settings, fingerprints, wire_generation(settings, fingerprints), Origin.model_validate(origin))
