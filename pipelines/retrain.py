"""retrain: generate and finetune in one run; the main job, and what a schedule runs."""

from __future__ import annotations

from zenml import pipeline

from pipelines.config import Config
from pipelines.finetune import wire_finetuning
from pipelines.generate import wire_generation
from pipelines.preflight import Inputs


@pipeline(name="retrain")
def retrain(config: Config, inputs: Inputs) -> None:
    """Writes queries for the documentation, trains on them, and evaluates."""
    wire_finetuning(config, inputs, wire_generation(config, inputs))
