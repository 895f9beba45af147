"""generate: load_chunks -> generate_queries -> curate_queries [-> enrich_queries -> push_annotations]."""

from __future__ import annotations

from typing import Any

from zenml import pipeline

from finetrieve.app.config import Config, plain
from finetrieve.app.preflight import Inputs
from finetrieve.core.code_hash import plugin_hash
from pipelines.review import wire_push
from pipelines.shared import Fingerprints, Generated, fingerprint_at_run_time, wire_documents
from steps.generation import curate_queries, generate_queries


def wire_generation(config: Config, inputs: Fingerprints) -> Generated:
    """Returns the artifacts of the three steps, wired inside the pipeline that calls this."""
    made = wire_documents(config, inputs)
    generated, _, _, _, generation_report = generate_queries(
        chunks=made.chunks,
        settings=plain(config.generation),
        seed=config.seed,
        generation_state=inputs.generation_state,
        query_sets=[plain(item) for item in config.query_logs] if config.generation.imitates_logs else [],
        query_fingerprints=inputs.queries if config.generation.imitates_logs else [],
    )
    queries, rejected_queries, curation_report = curate_queries(
        generated_queries=generated,
        chunks=made.chunks,
        filters=[plain(settings) for settings in config.filters],
        base_model=config.training.base_model,
        base_model_fingerprint=inputs.base_model,
        plugin_code=plugin_hash(type(settings) for settings in config.filters),
    )
    return made._replace(
        generation_report=generation_report, queries=queries, rejected_queries=rejected_queries, curation_report=curation_report
    )


@pipeline(name="generate")
def generate(
    config: dict[str, Any],
    inputs: dict[str, Any] | None = None,
    run_metadata: dict[str, Any] | None = None,  # noqa: ARG001 (recorded with the run)
) -> None:
    """Writes queries for the documentation, keeps the good ones, and hands them to those who review them.

    Without `inputs` they are looked at when it runs.
    """
    settings = Config.model_validate(config)
    fingerprints = fingerprint_at_run_time("generate", settings) if inputs is None else Inputs.model_validate(inputs)
    wire_push(settings, fingerprints, wire_generation(settings, fingerprints))
