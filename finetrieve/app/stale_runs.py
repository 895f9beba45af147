"""Runs whose process died without a word: the next start finds them and closes them, so that none is "running" for ever.

A note beside ZenML's configuration says which process a run lives in. A process is known by its number and its start, since
numbers are given out again.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from zenml.client import Client
from zenml.config.global_config import GlobalConfiguration
from zenml.enums import ExecutionStatus
from zenml.models import PipelineRunResponse, PipelineRunUpdate, StepRunUpdate

_REASON = "The process of this run was killed. What it had finished is kept; the same command goes on from there."
_SAME_START_SECONDS = 0.01
_AT_ONCE = 100


@contextmanager
def record_process(run_name: str) -> Iterator[None]:
    """Keeps a note of the process that a run lives in; it stays where the body fails, since ZenML may not have noted the end."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / f"{run_name}.json"
    process = psutil.Process()
    facts = {"run": run_name, "host": platform.node(), "pid": process.pid, "started": process.create_time(), "store": _store()}
    part = note.with_suffix(".part")
    part.write_text(json.dumps(facts), encoding="utf-8")
    part.replace(note)
    yield
    note.unlink(missing_ok=True)


def close_stale_runs() -> list[str]:
    """Marks runs of this machine whose process is gone as failed, with the steps they were at, and returns their names."""
    closed = []
    for note in sorted(_folder().glob("*.json")):
        facts = _read(note)
        if facts is None or (_belongs_here(facts) and not _is_alive(facts)):
            closed += [run.name for run in _unfinished(facts)]
            for run in _unfinished(facts):
                _close(run)
            note.unlink(missing_ok=True)
    return closed


def _folder() -> Path:
    return Path(GlobalConfiguration().config_directory) / "finetrieve-runs"


def _store() -> str:
    return str(Client().zen_store.url)


def _read(note: Path) -> dict[str, Any] | None:
    """Returns the note, or None where it is damaged."""
    try:
        facts: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        return facts if {"run", "host", "pid", "started", "store"} <= set(facts) else None
    except (OSError, ValueError):
        return None


def _belongs_here(facts: dict[str, Any]) -> bool:
    return bool(facts["host"] == platform.node() and facts["store"] == _store())


def _is_alive(facts: dict[str, Any]) -> bool:
    try:
        process = psutil.Process(facts["pid"])
        same = abs(process.create_time() - facts["started"]) < _SAME_START_SECONDS
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _unfinished(facts: dict[str, Any] | None) -> list[PipelineRunResponse]:
    if facts is None:
        return []
    runs: list[PipelineRunResponse] = list(Client().list_pipeline_runs(name=facts["run"], size=_AT_ONCE, hydrate=True).items)
    return [run for run in runs if not ExecutionStatus(run.status).is_finished]


def _close(run: PipelineRunResponse) -> None:
    store = Client().zen_store
    for step in run.steps.values():
        if not ExecutionStatus(step.status).is_finished:
            store.update_run_step(step.id, StepRunUpdate(status=ExecutionStatus.FAILED, end_time=datetime.now(UTC)))
    store.update_run(run.id, PipelineRunUpdate(status=ExecutionStatus.FAILED, status_reason=_REASON))
