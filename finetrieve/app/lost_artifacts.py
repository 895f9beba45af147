"""Artifacts that are gone from the store although their step was completed: the step is taken out of the cache and runs again.

A store can lose them in two ways: somebody deletes files, or a run is interrupted just as ZenML has marked a step as completed
and removes what it believes to be half-written.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.models import StepRunResponse

from finetrieve.core.failures import causes

_DONE = (ExecutionStatus.COMPLETED, ExecutionStatus.CACHED)
_AT_ONCE = 100


def forget_lost_steps(run_name: str, error: Exception) -> list[str]:
    """Takes the steps of a run out of the cache whose artifacts are gone, and returns their names.

    Args:
        run_name: The run that failed, or whose artifacts could not be read.
        error: What it failed with; a missing file that it names counts with the artifact that it belongs to.
    """
    runs = Client().list_pipeline_runs(name=run_name, size=1, hydrate=True).items
    missing = [Path(cause.filename) for cause in causes(error) if isinstance(cause, FileNotFoundError) and cause.filename]
    lost = [step for run in runs for step in run.steps.values() if step.status in _DONE and _is_lost(step, missing)]
    for step in lost:
        _forget(step)
    return [step.name for step in lost]


def _is_lost(step: StepRunResponse, missing: Sequence[Path]) -> bool:
    store = Client().active_stack.artifact_store
    uris = [version.uri for versions in step.outputs.values() for version in versions]
    return any(not store.exists(uri) or any(path.is_relative_to(uri) for path in missing) for uri in uris)


def _forget(step: StepRunResponse) -> None:
    """Lets the cache expire for every run of a step with this key, since ZenML falls back on the next older one."""
    while same := Client().list_run_steps(cache_key=step.cache_key, cache_expired=False, size=_AT_ONCE).items:
        for twin in same:
            Client().update_step_run(twin.id, cache_expires_at=datetime.now(UTC))
