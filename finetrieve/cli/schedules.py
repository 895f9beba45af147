"""`python run.py schedules`: the schedules that exist, and pausing, resuming and deleting one."""

from __future__ import annotations

import sys

import click

from finetrieve.cli.commands import guarded


@click.group("schedules", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the schedules, or pause, resume or delete one.

    `python run.py --pipeline retrain --schedule "0 3 * * 1"` makes one on the active stack.
    """
    if context.invoked_subcommand is None:
        sys.exit(guarded(_show))


@command.command("list")
def list_() -> None:
    """Show every schedule: when it runs next, and how it ended last."""
    sys.exit(guarded(_show))


@command.command()
@click.argument("name")
def pause(name: str) -> None:
    """Keep a schedule from running until it is resumed."""
    sys.exit(guarded(lambda: _set_active(name, False)))


@command.command()
@click.argument("name")
def resume(name: str) -> None:
    """Let a paused schedule run again."""
    sys.exit(guarded(lambda: _set_active(name, True)))


@command.command()
@click.argument("name")
def delete(name: str) -> None:
    """Delete a schedule here and on its orchestrator; its runs stay."""
    sys.exit(guarded(lambda: _delete(name)))


def _show() -> None:
    _prepare()
    from finetrieve.app.remote.schedules import schedules

    lines = schedules()
    if not lines:
        click.echo('There are no schedules. `python run.py --pipeline retrain --schedule "0 3 * * 1"` makes one.')
        return
    rows = [("schedule", "cron (UTC)", "state", "next", "orchestrator", "last run")]
    rows += [(line.name, line.cron, line.state, line.next, line.orchestrator, line.last_run) for line in lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _set_active(name: str, active: bool) -> None:
    _prepare()
    from finetrieve.app.remote.schedules import set_active

    set_active(name, active)
    click.echo(f"'{name}' is {'active' if active else 'paused'}.")


def _delete(name: str) -> None:
    _prepare()
    from finetrieve.app.remote.schedules import delete

    delete(name)
    click.echo(f"'{name}' is deleted.")


def _prepare() -> None:
    from finetrieve.app.run import quiet_zenml

    quiet_zenml()
