"""What a stack's YAML says: where steps run, where artifacts and images lie, and what each step needs; without ZenML."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from finetrieve.app.catalogue import SPLIT_GENERATED, TRAIN_ON_GENERATED
from finetrieve.app.config import read_yaml
from finetrieve.core.errors import InputError, unknown_name
from finetrieve.core.paths import ROOT
from finetrieve.core.settings import Settings

STACKS = ROOT / "configs" / "stacks"
"""The stacks that come with the project, one complete YAML each."""
CHANGE = "CHANGE-ME"
"""Stands in those files wherever only you know what belongs there."""


class Component(Settings):
    """One component of a ZenML stack."""

    flavor: str = Field(min_length=1)
    configuration: dict[str, Any] = Field(default={})


class StackFile(Settings):
    """A whole stack, and the settings that runs on it get."""

    name: str = Field(min_length=1, pattern=r"^[\w.\-]+$")
    orchestrator: Component
    artifact_store: Component
    container_registry: Component | None = None
    image_builder: Component | None = None
    alerter: Component | None = None
    experiment_tracker: Component | None = None
    """Gets the training's curves and the metrics of each run."""
    docker: dict[str, Any] = Field(default={})
    """ZenML's DockerSettings."""
    environment: dict[str, str] = Field(default={})
    """Environment variables of every step; secrets go into `secrets`."""
    secrets: list[str] = Field(default=[])
    """ZenML secrets whose keys become environment variables of the steps when they run."""
    steps: dict[str, dict[str, Any]] = Field(default={})
    """Step name -> ZenML's settings for it: `resources`, `orchestrator`."""

    def components(self) -> dict[str, Component]:
        """Returns the components that the file names, by ZenML's name of their type."""
        found = {name: getattr(self, name) for name in _COMPONENTS}
        return {name: component for name, component in found.items() if component is not None}

    def run_settings(self) -> dict[str, Any]:
        """Returns what a run on this stack is configured with, as plain values."""
        return {"docker": self.docker, "steps": self.steps}


_COMPONENTS = ("orchestrator", "artifact_store", "container_registry", "image_builder", "alerter", "experiment_tracker")


def load_stack(path: Path) -> StackFile:
    """Returns the validated stack of a YAML file.

    Raises:
        InputError: With one line per mistake; also for what still has to be filled in.
    """
    raw = read_yaml(path, "configs/stacks/kubernetes.yaml")
    try:
        stack = StackFile.model_validate(raw)
    except ValidationError as error:
        raise InputError("\n".join(f"{path}: {_explain(details)}" for details in error.errors())) from None
    for step in stack.steps:
        if step not in step_names():
            raise InputError(f"{path}: steps: {unknown_name('step', step, sorted(step_names()))}")
    missing = [place for place, value in _leaves(raw) if CHANGE in str(value)]
    if missing:
        raise InputError(f"{path}: put your own values where it says {CHANGE}: {', '.join(missing)}.")
    return stack


def step_names() -> set[str]:
    """Returns the names of this project's steps, read from the source: importing them takes seconds."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "steps").glob("*.py"))
    defined = {node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef) and _is_step(node)}
    return defined | {SPLIT_GENERATED, TRAIN_ON_GENERATED}


def _is_step(function: ast.FunctionDef) -> bool:
    decorators = [item.func if isinstance(item, ast.Call) else item for item in function.decorator_list]
    return any(isinstance(item, ast.Name) and item.id == "step" for item in decorators)


def _explain(details: Any) -> str:
    place = ".".join(str(part) for part in details["loc"]) or "the file"
    if details["type"] == "extra_forbidden":
        return f"{place}: unknown key. Known keys: {', '.join(StackFile.model_fields)}."
    return f"{place}: {details['msg'][0].lower()}{details['msg'][1:]}."


def _leaves(value: Any, place: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in _leaves(item, f"{place}.{key}".lstrip("."))]
    if isinstance(value, list):
        return [leaf for index, item in enumerate(value) for leaf in _leaves(item, f"{place}[{index}]")]
    return [(place, value)]
