"""What earlier runs on the same documents left in ZenML's store: the input of `finetune` and `evaluate`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.models import ArtifactVersionResponse, PipelineRunResponse, StepRunResponse

from finetrieve.app.catalogue import SPLIT_GENERATED, TRAIN_ON_GENERATED
from finetrieve.app.preflight import Inputs, corpus_tag
from finetrieve.core.errors import InputError

_LOOKED_AT = 200


def find_generated_queries(inputs: Inputs, names: Iterable[str]) -> dict[str, Any]:
    """Returns the artifacts of the last generation on these documents, by name.

    Raises:
        InputError: There is none yet.
    """
    run = _last_run(inputs, "curate_queries")
    if run is None:
        raise InputError("No queries were generated for these documents yet. Run --pipeline generate (or retrain) on them first.")
    outputs = artifacts_of(run)
    return {name: outputs[name] for name in names}


def artifacts_of(run: PipelineRunResponse) -> dict[str, Any]:
    """Returns everything that the steps of a run made, by name."""
    steps = [step for name, step in run.steps.items() if name not in (SPLIT_GENERATED, TRAIN_ON_GENERATED)]
    return {name: output for step in steps for name, output in _outputs(step).items()}


def find_trained_model(inputs: Inputs) -> ArtifactVersionResponse:
    """Returns the model of the last training on these documents.

    Raises:
        InputError: There is none yet.
    """
    trained = _last_training(inputs)
    if trained is None:
        raise InputError(
            "No model was trained on these documents yet. Run --pipeline retrain first, or set evaluation.model to a directory."
        )
    step, run = trained
    model: ArtifactVersionResponse = _outputs(run.steps[step])["model"]
    return model


def find_training_pairs(inputs: Inputs) -> ArtifactVersionResponse | None:
    """Returns the split queries of the last training on these documents, or None.

    A later run that ended before its training may hold out queries that this training learnt from.
    """
    trained = _last_training(inputs)
    run = _last_run(inputs, "split_queries") if trained is None else trained[1]
    return _outputs(run.steps["split_queries"])["pairs"] if run else None


def _last_training(inputs: Inputs) -> tuple[str, PipelineRunResponse] | None:
    """Returns the newest run on these documents that made a model, and the step that did."""
    runs = {step: run for step in ("train_model", "choose_base_model") if (run := _last_run(inputs, step)) is not None}
    return max(runs.items(), key=lambda item: item[1].created, default=None)


def _last_run(inputs: Inputs, step: str) -> PipelineRunResponse | None:
    """Returns the newest run on these documents in which `step` was completed or came from the cache."""
    runs = Client().list_pipeline_runs(sort_by="desc:created", tags=[corpus_tag(inputs)], size=_LOOKED_AT, hydrate=True)
    done = (ExecutionStatus.COMPLETED, ExecutionStatus.CACHED)
    return next((run for run in runs.items if step in run.steps and run.steps[step].status in done), None)


def _outputs(step: StepRunResponse) -> dict[str, Any]:
    """Returns the step's outputs by name; ZenML keeps a list of versions for each."""
    return {name: versions[0] for name, versions in step.outputs.items()}
