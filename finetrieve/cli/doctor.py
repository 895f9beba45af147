"""`python run.py doctor`: what this machine lacks to run a configuration, one line each with the fix."""

from __future__ import annotations

from pathlib import Path

import click

from finetrieve.cli.commands import FAILED
from finetrieve.cli.options import JSON, print_json


@click.command("doctor")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="A YAML file. Default: configs/default.yaml.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one key of the YAML file: training.epochs=1. Repeatable."
)
@JSON
@click.pass_context
def command(context: click.Context, config_path: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """Check this machine: packages, documents, base model, keys (never shown), disk, clock, Argilla, GPU, ZenML.

    Exit code 0: everything that the configuration needs is there; 1: the lines with FAIL say what is not.
    """
    from finetrieve.app.config import DEFAULT_CONFIG, load_config
    from finetrieve.app.doctor import check_machine

    found = []
    for finding in check_machine(load_config(config_path or DEFAULT_CONFIG, overrides=overrides)):
        found.append(finding)
        if not as_json:
            click.echo(finding.line(width=10))
    if as_json:
        print_json([vars(finding) for finding in found])
    if any(finding.state == "FAIL" for finding in found):
        context.exit(FAILED)
