"""`python run.py doctor`: what this machine lacks to run a configuration, one line each with the fix."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from finetrieve.cli.commands import DONE, FAILED, guarded


@click.command("doctor")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="A YAML file. Default: configs/default.yaml.")
def command(config_path: Path | None) -> None:
    """Check this machine: packages, documents, base model, keys (never shown), disk, clock, Argilla, GPU, ZenML.

    Exit code 0: everything that the configuration needs is there; 1: the lines with FAIL say what is not.
    """
    failed = [False]
    code = guarded(lambda: failed.__setitem__(0, _check(config_path)))
    sys.exit(code if code != DONE else FAILED if failed[0] else DONE)


def _check(config_path: Path | None) -> bool:
    """Prints the findings and returns whether one of them is a failure."""
    from finetrieve.app.config import DEFAULT_CONFIG, load_config
    from finetrieve.app.doctor import findings

    failed = False
    for finding in findings(load_config(config_path or DEFAULT_CONFIG)):
        click.echo(finding.line(width=10))
        failed = failed or finding.state == "FAIL"
    return failed
