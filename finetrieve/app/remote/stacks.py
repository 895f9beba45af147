"""ZenML stacks made from a YAML file, and what runs on the active one are configured with."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from zenml.client import Client
from zenml.enums import ExecutionMode, StackComponentType
from zenml.integrations.registry import integration_registry
from zenml.models import StackResponse
from zenml.stack.utils import validate_stack_component_config

from finetrieve.app.remote.stack_file import Component, StackFile, load_stack
from finetrieve.core.errors import InputError
from finetrieve.core.failures import error_line

_LABEL = "finetrieve"
"""The stack's label that keeps its run settings, so that they reach everyone who uses the same ZenML server."""
_EXTRAS = {"kubernetes": "kubernetes", "s3": "s3", "gcp": "vertex", "aws": "sagemaker", "mlflow": "mlflow"}
"""ZenML integration -> the extra of this project that installs what it needs."""


@dataclass(frozen=True)
class StackLine:
    """One registered stack as people see it."""

    name: str
    active: bool
    orchestrator: str
    artifact_store: str


def register(path: Path) -> str:
    """Returns what was registered, after making the stack of a YAML file the active one; one of that name is updated.

    Raises:
        InputError: The file has a mistake, an integration is not installed, or a ZenML secret does not exist.
    """
    wanted = load_stack(path)
    # 1. Everything that can be wrong, before anything is registered.
    for kind, component in wanted.components().items():
        _check(path, kind, component)
    for secret in wanted.secrets:
        _check_secret(path, secret)

    # 2. Components under the stack's name, then the stack.
    types = {kind: StackComponentType(kind) for kind in wanted.components()}
    for kind, component in wanted.components().items():
        _put_component(wanted.name, types[kind], component)
    known = _stack(wanted.name)
    if known is None:
        known = Client().create_stack(wanted.name, dict.fromkeys(types.values(), wanted.name))
    _configure(known, wanted, list(types.values()))
    Client().activate_stack(known.id)
    return f"The stack '{wanted.name}' is registered and active: {wanted.orchestrator.flavor}, artifacts in {_place(wanted)}."


def activate(name: str) -> None:
    """Makes a registered stack the active one.

    Raises:
        InputError: There is none of that name.
    """
    found = _stack(name)
    if found is None:
        raise InputError(f"There is no stack '{name}'. Registered: {', '.join(line.name for line in list_stacks())}.")
    Client().activate_stack(found.id)


def list_stacks() -> list[StackLine]:
    """Returns every registered stack."""
    active = Client().active_stack_model.id
    return [_line(stack, stack.id == active) for stack in Client().list_stacks(size=200, hydrate=True).items]


def run_options() -> dict[str, Any]:
    """Returns the options that a pipeline gets on the active stack: images, resources, and how a failure ends it.

    Raises:
        InputError: The stack needs packages that are not installed here.
    """
    client = Client()
    model = client.active_stack_model
    for kind, components in model.components.items():
        for component in components:
            _check_installed(kind.value, component.flavor_name, component.integration)
    kept = json.loads((model.labels or {}).get(_LABEL, "{}"))
    # Failing fast hands on a step's own exception, where ZenML would only say that one failed.
    modes = client.active_stack.orchestrator.supported_execution_modes
    mode = ExecutionMode.FAIL_FAST if ExecutionMode.FAIL_FAST in modes else ExecutionMode.CONTINUE_ON_FAILURE
    options: dict[str, Any] = {"execution_mode": mode}
    if kept.get("docker"):
        options["settings"] = {"docker": kept["docker"]}
    if kept.get("steps"):
        options["steps"] = {name: {"settings": settings} for name, settings in kept["steps"].items()}
    return options


def experiment_tracker() -> str | None:
    """Returns the name of the active stack's experiment tracker, if it has one."""
    found = Client().active_stack_model.components.get(StackComponentType.EXPERIMENT_TRACKER)
    return found[0].name if found else None


def runs_here() -> bool:
    """Returns whether a run lives in this process; elsewhere it goes on when this process dies."""
    return Client().active_stack.orchestrator.flavor == "local"


def _check(path: Path, kind: str, component: Component) -> None:
    """Raises an InputError unless ZenML knows the flavor, has what it needs, and takes the configuration."""
    try:
        flavor = Client().get_flavor_by_name_and_type(component.flavor, StackComponentType(kind))
    except KeyError:
        raise InputError(f"{path}: {kind}.flavor: ZenML has no {kind} '{component.flavor}'.") from None
    _check_installed(kind, component.flavor, flavor.integration)
    try:
        validate_stack_component_config(component.configuration, component.flavor, StackComponentType(kind))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in (kind, "configuration", *first["loc"]))
        raise InputError(f"{path}: {place}: {first['msg']}.") from None
    except ValueError as error:
        raise InputError(f"{path}: {kind}.configuration: {error_line(error)}") from None


def _check_installed(kind: str, flavor: str, integration: str | None) -> None:
    if not integration or integration == "built-in" or integration_registry.is_installed(integration):
        return
    if integration == "mlflow" and importlib.util.find_spec("mlflow"):  # mlflow-skinny, which ZenML does not know, is enough
        return
    extra = _EXTRAS.get(integration)
    how = f"pip install -e '.[{extra}]'" if extra else f"zenml integration install {integration}"
    raise InputError(f"The {kind} '{flavor}' needs packages that are not installed. Install them: {how}.")


def _check_secret(path: Path, name: str) -> None:
    try:
        Client().get_secret(name, allow_partial_name_match=False, allow_partial_id_match=False)
    except KeyError:
        raise InputError(
            f"{path}: secrets: there is no ZenML secret '{name}'. `zenml secret create {name} --interactive` asks for its keys, "
            "which become environment variables of the steps, such as FINETRIEVE_WEBHOOK_URL; or take it out of the list."
        ) from None


def _put_component(name: str, kind: StackComponentType, component: Component) -> None:
    """Registers a component, or replaces the one of that name."""
    client = Client()
    known = client.list_stack_components(name=name, type=kind, size=1).items
    if known and known[0].flavor_name == component.flavor:
        stale = {key: None for key in known[0].configuration if key not in component.configuration}
        client.update_stack_component(known[0].id, kind, configuration={**stale, **component.configuration})
        return
    if known:
        raise InputError(
            f"There already is a {kind.value} '{name}' of the kind '{known[0].flavor_name}', not '{component.flavor}'. "
            "Give the stack another name in its file."
        )
    client.create_stack_component(name, component.flavor, kind, component.configuration)


def _configure(stack: StackResponse, wanted: StackFile, kinds: list[StackComponentType]) -> None:
    """Gives a stack the components, environment, secrets and run settings of its file."""
    gone = {key: None for key in stack.environment if key not in wanted.environment}
    secrets = [Client().get_secret(name).id for name in wanted.secrets]
    Client().update_stack(
        stack.id,
        labels={_LABEL: json.dumps(wanted.run_settings())},
        component_updates=dict.fromkeys(kinds, wanted.name),
        add_secrets=[secret for secret in secrets if secret not in stack.secrets],
        remove_secrets=[secret for secret in stack.secrets if secret not in secrets],
        environment={**gone, **wanted.environment},
    )


def _stack(name: str) -> StackResponse | None:
    found = Client().list_stacks(name=name, size=1, hydrate=True).items
    return found[0] if found else None


def _line(stack: StackResponse, active: bool) -> StackLine:
    orchestrator = stack.components[StackComponentType.ORCHESTRATOR][0]
    store = stack.components[StackComponentType.ARTIFACT_STORE][0]
    return StackLine(
        name=stack.name,
        active=active,
        orchestrator=orchestrator.flavor_name,
        artifact_store=str(store.configuration.get("path") or "this disk"),
    )


def _place(stack: StackFile) -> str:
    return str(stack.artifact_store.configuration.get("path") or "this machine's store")
