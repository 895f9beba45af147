"""What the pipelines share: artifacts, arguments that several steps take, the first steps of a run and its last."""

from __future__ import annotations

from typing import Any, NamedTuple

from finetrieve.app.config import Config, plain
from finetrieve.app.preflight import Inputs
from finetrieve.app.remote.stacks import experiment_tracker
from finetrieve.corpus.sources.registry import CorpusSettings
from finetrieve.evaluation.settings import EvaluationTask
from finetrieve.own_data.split_queries import SplitTask
from steps.corpus import fingerprint_inputs, load_chunks
from steps.tracking import track_run


class Generated(NamedTuple):
    """The artifacts of the documents and, once there are any, of generation, by the names under which ZenML keeps them."""

    chunks: Any
    documents: Any
    duplicates: Any
    corpus_report: Any
    generation_report: Any = None
    queries: Any = None
    rejected_queries: Any = None
    curation_report: Any = None


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
    teacher: Any


Fingerprints = Inputs | RuntimeFingerprints


def fingerprint_at_run_time(pipeline: str, config: Config) -> RuntimeFingerprints:
    """Returns the inputs as they will be when the pipeline runs; called while it is compiled."""
    return RuntimeFingerprints(*fingerprint_inputs(pipeline=pipeline, config=plain(config)))


def wire_documents(config: Config, inputs: Fingerprints) -> Generated:
    """Wires load_chunks inside the pipeline that calls this."""
    found = load_chunks(
        settings=plain(CorpusSettings(source=config.source, chunks=config.chunks)),
        base_model=config.training.base_model,
        base_model_fingerprint=inputs.base_model,
        documents_fingerprint=inputs.documents,
    )
    return Generated(*found)


def tables_of(made: Generated) -> dict[str, Any]:
    """Returns the arguments of a step that takes the whole corpus."""
    return {"chunks": made.chunks, "documents": made.documents, "duplicates": made.duplicates}


def evaluation_arguments(config: Config, inputs: Fingerprints, made: Generated) -> dict[str, Any]:
    """Returns the arguments of every step that evaluates, but for the models and the pairs."""
    task = EvaluationTask(evaluation=config.evaluation, chunks=config.chunks, seed=config.seed)
    return {**tables_of(made), "task": plain(task), "eval_set_fingerprints": inputs.eval_sets}


def split_arguments(config: Config, inputs: Fingerprints, made: Generated, **more: Any) -> dict[str, Any]:
    """Returns the arguments of split_queries for generated queries; `more` is what their `SplitTask` has beside them."""
    task = SplitTask(split=config.split, eval_sets=config.evaluation.eval_sets, **more)
    generated = {"queries": made.queries, "chunks": made.chunks, "documents": made.documents}
    return {**generated, "task": plain(task), "eval_set_fingerprints": inputs.eval_sets}


def wire_tracking(metrics: Any, decision: Any = None) -> None:
    """Adds the step that hands the metrics to the stack's experiment tracker; nothing where it has none."""
    if tracker := experiment_tracker():
        track_run.with_options(experiment_tracker=tracker)(metrics=metrics, promotion_decision=decision)
