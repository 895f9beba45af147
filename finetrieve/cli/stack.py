"""`python run.py stack`: where pipelines run. Lists the stacks, registers one from a YAML file, switches between them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from finetrieve.cli.commands import guarded


@click.group("stack", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the stacks, register one from a YAML file, or use one.

    \b
    cp configs/stacks/kubernetes.yaml my-stack.yaml     then put your own values in
    python run.py stack register my-stack.yaml
    python run.py stack use default                     back to this machine
    """
    if context.invoked_subcommand is None:
        sys.exit(guarded(_show))


@command.command("list")
def list_() -> None:
    """Show the registered stacks, and the files that come with the project."""
    sys.exit(guarded(_show))


@command.command()
@click.argument("path", type=click.Path(path_type=Path))
def register(path: Path) -> None:
    """Register the stack of a YAML file, or update it, and use it."""
    sys.exit(guarded(lambda: _register(path)))


@command.command()
@click.argument("name")
def use(name: str) -> None:
    """Make a registered stack the one that pipelines run on."""
    sys.exit(guarded(lambda: _use(name)))


def _show() -> None:
    _prepare()
    from finetrieve.app.remote.stack_file import STACKS
    from finetrieve.app.remote.stacks import stacks

    lines = stacks()
    width = max(len(line.name) for line in lines)
    for line in lines:
        click.echo(f"{'*' if line.active else ' '} {line.name:{width}}  {line.orchestrator}, artifacts in {line.artifact_store}")
    known = ", ".join(sorted(path.stem for path in STACKS.glob("*.yaml")))
    click.echo(f"\nFiles to start from: {STACKS.relative_to(STACKS.parent.parent)}/NAME.yaml, NAME one of: {known}.")
    click.echo("Put your own values in and run `python run.py stack register FILE`.")


def _register(path: Path) -> None:
    from finetrieve.app.remote.stack_file import load_stack

    load_stack(path)
    _prepare()
    from finetrieve.app.remote.stacks import register

    click.echo(register(path))


def _use(name: str) -> None:
    _prepare()
    from finetrieve.app.remote.stacks import activate

    activate(name)
    click.echo(f"Pipelines run on the stack '{name}' now.")


def _prepare() -> None:
    from finetrieve.app.run import quiet_zenml

    quiet_zenml()
