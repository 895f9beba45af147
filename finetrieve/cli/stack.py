"""`python run.py stack`: where pipelines run. Lists the stacks, registers one from a YAML file, switches between them."""

from __future__ import annotations

from pathlib import Path

import click

from finetrieve.cli.options import JSON, ListGroup, print_json
from finetrieve.core.text_table import table_lines


@click.group("stack", cls=ListGroup)
def command() -> None:
    """List the stacks, register one from a YAML file, or use one.

    \b
    cp configs/stacks/kubernetes.yaml my-stack.yaml     then put your own values in
    python run.py stack register my-stack.yaml
    python run.py stack use default                     back to this machine
    """


@command.command("list")
@JSON
def list_(as_json: bool) -> None:
    """Show the registered stacks, and the files that come with the project."""
    from finetrieve.app.remote.stack_file import STACKS
    from finetrieve.app.remote.stacks import list_stacks

    stacks, files = list_stacks(), sorted(path.stem for path in STACKS.glob("*.yaml"))
    if as_json:
        print_json({"stacks": [vars(line) for line in stacks], "files": files})
        return
    rows = [
        (f"{'*' if line.active else ' '} {line.name}", f"{line.orchestrator}, artifacts: {line.artifact_store}")
        for line in stacks
    ]
    click.echo("\n".join(table_lines(rows)))
    click.echo(f"\nFiles to start from: {STACKS.relative_to(STACKS.parent.parent)}/NAME.yaml, NAME one of: {', '.join(files)}.")
    click.echo("Put your own values in and run `python run.py stack register FILE`.")


@command.command()
@click.argument("path", type=click.Path(path_type=Path))
def register(path: Path) -> None:
    """Register the stack of a YAML file, or update it, and use it."""
    from finetrieve.app.remote.stack_file import load_stack

    load_stack(path)  # what is wrong with the file is said before ZenML is imported
    from finetrieve.app.remote import stacks

    click.echo(stacks.register(path))


@command.command()
@click.argument("name")
def use(name: str) -> None:
    """Make a registered stack the one that pipelines run on."""
    from finetrieve.app.remote.stacks import activate

    activate(name)
    click.echo(f"Pipelines run on the stack '{name}' now.")
