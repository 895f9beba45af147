"""`python run.py argilla`: the embedded annotation server, up, down, and how to reach it."""

from __future__ import annotations

from pathlib import Path

import click

from finetrieve.cli.options import JSON, print_json
from finetrieve.core.errors import InputError

_HOME = click.option(
    "--home",
    type=click.Path(path_type=Path),
    help="The folder of its data. Default: FINETRIEVE_ARGILLA_HOME, or your data folder.",
)


@click.group("argilla")
def command() -> None:
    """The embedded Argilla server: where people correct what the machine wrote."""


@command.command("up")
@_HOME
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Where it listens. Default: where it was last, or 6900, or a free one."
)
def up(home: Path | None, port: int | None) -> None:
    """Start it, and print where it is and how to sign in."""
    from finetrieve.argilla_server import ensure_server, server_status

    if home is None and (named := _named_server()):
        raise InputError(f"{named} Nothing is started. Unset it, or give --home, to use the embedded server.")
    before = server_status(home)
    if before.running and port is not None and before.url and not before.url.endswith(f":{port}"):
        raise InputError(f"The server already runs at {before.url}. Stop it first: python run.py argilla down")
    if before.running:
        click.echo("The Argilla server was already running.")
    ensure_server(home, port)
    _print_account(home)


@command.command("down")
@_HOME
def down(home: Path | None) -> None:
    """Stop it. Its data is kept."""
    from finetrieve.argilla_server import stop_server

    click.echo("The Argilla server is stopped; its data is kept." if stop_server(home) else "No Argilla server was running.")


@command.command("status")
@_HOME
@JSON
def status(home: Path | None, as_json: bool) -> None:
    """Say whether it runs."""
    from finetrieve.annotation.connection import url_of_environment
    from finetrieve.argilla_server import server_status

    if as_json:
        print_json({**vars(server_status(home)), "named_by_environment": None if home else url_of_environment()})
        return
    if home is None and (named := _named_server()):
        click.echo(named)
    found = server_status(home)
    if not found.running:
        click.echo(f"No Argilla server runs on {found.home}. Start it: python run.py argilla up")
        return
    memory = f", {found.memory / 2**20:,.0f} MB" if found.memory else ""
    click.echo(f"Argilla {found.version} runs at {found.url} (process {found.pid}{memory}); data in {found.home}")


@command.command("url")
@_HOME
def url(home: Path | None) -> None:
    """Print where it is and how to sign in."""
    if home is None and (named := _named_server()):
        click.echo(named)
    else:
        _print_account(home)


@command.command("annotator")
@click.argument("name")
@_HOME
def annotator(name: str, home: Path | None) -> None:
    """Make an account for another person, or give one that is there a new password."""
    from finetrieve.annotation.accounts import give_account

    url, password = give_account(name, home)
    click.echo(f"Argilla: {url}\n  user name: {name}\n  password:  {password}")
    click.echo(
        f"From another machine, through this one: ssh -L {url.rpartition(':')[2]}:{url.removeprefix('http://')} THIS-MACHINE"
    )


def _print_account(home: Path | None) -> None:
    from finetrieve.argilla_server import account, server_status

    found = server_status(home)
    if not found.running:
        raise InputError(f"No Argilla server runs on {found.home}. Start it: python run.py argilla up")
    signed = account(home)
    click.echo(f"Argilla: {found.url}\n  user name: {signed.username}\n  password:  {signed.password}")
    click.echo(f"  API key:   in {found.home / 'account.json'}, which only you can read")


def _named_server() -> str | None:
    """Returns the line for a server that the environment names, or None."""
    from finetrieve.annotation.connection import url_of_environment

    url = url_of_environment()
    return f"ARGILLA_API_URL names {url}, and the pipelines use that server." if url else None
