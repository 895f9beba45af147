"""`python run.py schedules`: the schedules that exist, and pausing, resuming and deleting one."""

from __future__ import annotations

import click

from finetrieve.cli.options import JSON, ListGroup, print_json
from finetrieve.core.text_table import table_lines


@click.group("schedules", cls=ListGroup)
def command() -> None:
    """List the schedules, or pause, resume or delete one.

    `python run.py --pipeline retrain --schedule "0 3 * * 1"` makes one on the active stack.
    """


@command.command("list")
@JSON
def list_(as_json: bool) -> None:
    """Show every schedule: when it runs next, and how it ended last."""
    from finetrieve.app.remote.schedules import list_schedules

    lines = list_schedules()
    if as_json:
        print_json([vars(line) for line in lines])
        return
    if not lines:
        click.echo('There are no schedules. `python run.py --pipeline retrain --schedule "0 3 * * 1"` makes one.')
        return
    rows = [("schedule", "cron (UTC)", "state", "next", "orchestrator", "last run")]
    rows += [(line.name, line.cron, line.state, line.next, line.orchestrator, line.last_run) for line in lines]
    click.echo("\n".join(table_lines(rows)))


@command.command()
@click.argument("name")
def pause(name: str) -> None:
    """Keep a schedule from running until it is resumed."""
    from finetrieve.app.remote.schedules import set_active

    set_active(name, False)
    click.echo(f"'{name}' is paused.")


@command.command()
@click.argument("name")
def resume(name: str) -> None:
    """Let a paused schedule run again."""
    from finetrieve.app.remote.schedules import set_active

    set_active(name, True)
    click.echo(f"'{name}' is active.")


@command.command()
@click.argument("name")
def delete(name: str) -> None:
    """Delete a schedule here and on its orchestrator; its runs stay."""
    from finetrieve.app.remote import schedules

    schedules.delete(name)
    click.echo(f"'{name}' is deleted.")
