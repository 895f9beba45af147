"""Schedules on the active stack's orchestrator: created or replaced, listed, paused, resumed, deleted."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from zenml.client import Client
from zenml.config.schedule import Schedule
from zenml.enums import StackComponentType
from zenml.io import fileio
from zenml.models import ScheduleResponse, ScheduleUpdate
from zenml.orchestrators import BaseOrchestrator
from zenml.stack import Stack

from finetrieve.app.config import Config, plain
from finetrieve.app.notifications import tell_of_failure
from finetrieve.app.remote.code import pin_code
from finetrieve.app.remote.cron import next_time
from finetrieve.app.remote.stacks import run_options
from finetrieve.app.run import purpose_tag
from finetrieve.app.run_metadata import RunMetadata, code_commit, typed_command
from finetrieve.core.errors import InputError, unknown_name

_AIRFLOW = "airflow"
_REPLACED = "-replaced"
_MOST = 500


@dataclass(frozen=True)
class ScheduleLine:
    """One schedule as people see it; times are UTC."""

    name: str
    cron: str
    state: str
    next: str
    orchestrator: str
    last_run: str


def schedule_pipeline(name: str, config: Config, config_path: Path, cron: str) -> str:
    """Returns what was scheduled, in a few lines; a schedule of the same pipeline and configuration file is replaced.

    The new one is made first and the old one is deleted then, so a failure leaves the old one as it was.

    Raises:
        InputError: The active stack cannot schedule.
    """
    check_schedulable(Client().active_stack)
    schedule_name = f"{name}-{config_path.stem}"
    old = _set_aside(schedule_name)
    try:
        _create(name, config.relative_to_project(), schedule_name, cron)
    except BaseException:
        _restore(old, schedule_name)
        raise
    if old is not None:
        Client().delete_schedule(old.id)
    return (
        f"{'Replaced' if old else 'Created'} the schedule '{schedule_name}' on the stack '{Client().active_stack.name}': "
        f"{cron}, next {_minute(next_time(cron))} UTC.\n"
        f"Each time it reads {config.source.place} where the steps run; this version of the code goes with it.\n"
        "`python run.py schedules` lists, pauses, resumes and deletes."
    )


def check_schedulable(stack: Stack) -> None:
    """Raises an InputError, which says how to get there, unless the stack's orchestrator takes schedules."""
    if not stack.orchestrator.config.is_schedulable:
        raise InputError(
            f"The stack '{stack.name}' cannot run anything on a schedule: its orchestrator is of the kind "
            f"'{stack.orchestrator.flavor}'. Kubernetes, Airflow, Vertex AI and SageMaker can: "
            "`python run.py stack` registers one and makes it the active one."
        )


def list_schedules() -> list[ScheduleLine]:
    """Returns every schedule of the active ZenML project, by name."""
    return sorted((_describe(item) for item in _list_all()), key=lambda line: line.name)


def set_active(name: str, active: bool) -> None:
    """Resumes or pauses a schedule.

    Raises:
        InputError: There is none of that name, or its orchestrator has to be told itself.
    """
    schedule = _find_known(name)
    orchestrator = _orchestrator(schedule)
    if orchestrator is not None and not orchestrator.supports_schedule_updates:
        command = f"`airflow dags {'unpause' if active else 'pause'} {name}`"
        how = command if orchestrator.flavor == _AIRFLOW else "its own console or command line"
        raise InputError(
            f"ZenML cannot {'resume' if active else 'pause'} '{name}': its orchestrator is of the kind '{orchestrator.flavor}'. "
            f"Do it with {how}."
        )
    if schedule.active != active:
        Client().update_schedule(schedule.id, active=active)


def delete(name: str) -> None:
    """Deletes a schedule in ZenML and on its orchestrator.

    Raises:
        InputError: There is none of that name.
    """
    schedule = _find_known(name)
    orchestrator = _orchestrator(schedule)
    if orchestrator is not None and orchestrator.flavor == _AIRFLOW:
        # ZenML leaves the DAG where it wrote it, and Airflow would go on running it.
        fileio.remove(f"{orchestrator.config.dag_output_dir or orchestrator.dags_directory}/{name}.zip")
    Client().delete_schedule(schedule.id)


def _set_aside(name: str) -> ScheduleResponse | None:
    """Returns the schedule of a name, renamed so that the name is free; one that an interrupted call set aside counts too."""
    current, aside = _find(name), _find(name + _REPLACED)
    if current is None:
        return aside
    if aside is not None:
        Client().delete_schedule(aside.id)
    return _rename(current, name + _REPLACED)


def _restore(old: ScheduleResponse | None, name: str) -> None:
    """Puts the old schedule back after a failure, and takes away what ZenML registered before the orchestrator refused."""
    unfinished = _find(name)
    if unfinished is not None:
        Client().zen_store.delete_schedule(unfinished.id, soft=False)
    if old is not None:
        _rename(old, name)


def _rename(schedule: ScheduleResponse, name: str) -> ScheduleResponse:
    # The orchestrator's own object keeps its name: ZenML finds it by the schedule's metadata.
    found: ScheduleResponse = Client().zen_store.update_schedule(schedule.id, ScheduleUpdate(name=name))
    return found


def _create(name: str, config: Config, schedule_name: str, cron: str) -> None:
    pipeline = getattr(importlib.import_module(f"pipelines.{name}"), name)
    arguments = {"config": plain(config), "run_metadata": plain(RunMetadata(commit=code_commit(), command=typed_command()))}
    schedule = Schedule(name=schedule_name, cron_expression=cron)
    options = {**_options(schedule_name), "schedule": schedule, "on_failure": tell_of_failure, "tags": [purpose_tag(name)]}
    pin_code(pipeline, options, arguments)(**arguments)


def _options(schedule_name: str) -> dict[str, Any]:
    """Returns the stack's options; Airflow's DAG gets the schedule's name, or each call would leave another DAG running."""
    options = run_options()
    if Client().active_stack.orchestrator.flavor == _AIRFLOW:
        options["settings"] = {**options.get("settings", {}), "orchestrator": {"dag_id": schedule_name}}
    return options


def _list_all() -> list[ScheduleResponse]:
    found: list[ScheduleResponse] = Client().list_schedules(size=_MOST, hydrate=True).items
    return found


def _find(name: str) -> ScheduleResponse | None:
    return next((item for item in _list_all() if item.name == name), None)


def _find_known(name: str) -> ScheduleResponse:
    found = _find(name)
    if found is None:
        names = [item.name for item in _list_all()]
        if not names:
            raise InputError(f"There is no schedule '{name}', nor any other. --schedule makes one.")
        raise unknown_name("schedule", name, names)
    return found


def _describe(item: ScheduleResponse) -> ScheduleLine:
    orchestrator = _orchestrator(item)
    runs = Client().list_pipeline_runs(schedule_id=item.id, sort_by="desc:created", size=1).items
    cron = item.cron_expression or ""
    return ScheduleLine(
        name=item.name,
        cron=cron,
        state="active" if item.active else "paused",
        next=_minute(next_time(cron)) if cron and item.active else "",
        orchestrator=f"{orchestrator.name} ({orchestrator.flavor})" if orchestrator else "deleted",
        last_run=f"{runs[0].status}, {_minute(runs[0].created)}" if runs else "none yet",
    )


def _orchestrator(schedule: ScheduleResponse) -> Any:
    """Returns the schedule's orchestrator, or None when it was deleted or its integration is not installed."""
    if schedule.orchestrator_id is None:
        return None
    try:
        model = Client().get_stack_component(StackComponentType.ORCHESTRATOR, schedule.orchestrator_id)
    except KeyError:
        return None
    return BaseOrchestrator.from_model(model)


def _minute(time: datetime) -> str:
    return f"{time:%a %Y-%m-%d %H:%M}"
