"""What the pipelines hand to each other: the artifacts of generation, and inputs that are looked at when a run starts."""

from __future__ import annotations

from typing import Any, NamedTuple

from finetrieve.app.config import Config, plain
from steps.corpus import fingerprint_inputs


class Generated(NamedTuple):
    """The artifacts of generation, by the names under which ZenML keeps them."""

    chunks: Any
    documents: Any
    duplicates: Any
    corpus_report: Any
    generation_report: Any
    queries: Any
    rejected_queries: Any
    curation_report: Any


class RuntimeFingerprints(NamedTuple):
    """The outputs of `fingerprint_inputs`, in place of the `Inputs` that the command line takes before it compiles a pipeline.

    A schedule compiles its pipeline only once, so its inputs are looked at where the steps run and when they run.
    """

    documents: Any
    base_model: Any
    eval_sets: Any
    generation_state: Any
    pairs: Any
    queries: Any
    reranker: Any
    base_models: Any


def fingerprint_at_run_time(pipeline: str, config: Config) -> RuntimeFingerprints:
    """Returns the inputs as they will be when the pipeline runs; called while it is compiled."""
    return RuntimeFingerprints(*fingerprint_inputs(pipeline=pipeline, config=plain(config)))
