"""generate: load_chunks -> generate_queries -> curate_queries [-> enrich_queries -> push_annotations]."""

from __future__ import annotations

from typing import Any

from zenml import pipeline

from finetrieve.app.config import Config, plain
from finetrieve.app.preflight import Inputs
from finetrieve.app.remote.live_inputs import LiveInputs, look_later
from pipelines.artifacts import Generated
from pipelines.review import wire_push
from steps.curate_queries import curate_queries
from steps.generate_queries import generate_queries
from steps.load_chunks import load_chunks


def wire_generation(config: Config, inputs: Inputs | LiveInputs) -> Generated:
    """Returns the artifacts of the three steps, wired inside the pipeline that calls this."""
    model, model_fingerprint = config.training.base_model, inputs.base_model
    chunks, documents, duplicates, corpus_report = load_chunks(
        plain(config.source), plain(config.chunks), model, model_fingerprint, inputs.documents
    )
    generated, _, generation_report = generate_queries(chunks, plain(config.generation), config.seed, inputs.generation_state)
    filters = [plain(settings) for settings in config.filters]
    queries, rejected, curation_report = curate_queries(generated, chunks, filters, model, model_fingerprint)
    return Generated(chunks, documents, duplicates, corpus_report, generation_report, queries, rejected, curation_report)


@pipeline(name="generate")
def generate(
    config: dict[str, Any],
    inputs: dict[str, Any] | None = None,
    origin: dict[str, Any] | None = None,  # noqa: ARG001 (recorded with the run)
) -> None:
    """Writes queries for the documentation, keeps the good ones, and hands them to those who review them.

    Without `inputs` they are looked at when it runs.
    """
    settings = Config.model_validate(config)
    fingerprints = look_later("generate", settings) if inputs is None else Inputs.model_validate(inputs)
    wire_push(settings, fingerprints, wire_generation(settings, fingerprints))
