"""`python run.py --pipeline NAME`: run a pipeline, put it on a schedule, or show what it would ask an LLM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click

from finetrieve.app.argilla_inputs import check_named_server, refuse_argilla_sets, with_argilla_sets
from finetrieve.app.catalogue import PIPELINES, SCHEDULABLE
from finetrieve.app.config import DEFAULT_CONFIG, OFFLINE_CONFIG, load_config
from finetrieve.cli.commands import announce
from finetrieve.core.errors import InputError, UnreachableError, unknown_name
from finetrieve.core.logging import get_logger

logger = get_logger(__name__)


class Given(NamedTuple):
    """What the command line says in place of the configuration: data and models of one's own, and single keys."""

    docs: str | None
    eval_sets: tuple[str, ...]
    overrides: tuple[str, ...]
    pairs: tuple[str, ...]
    queries: tuple[str, ...]
    base_models: tuple[str, ...]


def with_demo(config_path: Path | None, given: Given, work: Callable[[Path], str]) -> str:
    """Returns what the work returns, for the given configuration or else the demo's; offline, the offline demo's.

    Args:
        config_path: As given.
        given: Documents, questions and pairs that it names are not what the offline demo is about.
        work: Called with the configuration.

    Raises:
        InputError: A user's mistake; also documents out of reach that the user named, or has questions of their own about.
    """
    try:
        return work(config_path or DEFAULT_CONFIG)
    except UnreachableError as error:
        if config_path is not None or given.docs or given.eval_sets or given.pairs or given.queries:
            raise
        click.echo(f"{error} Going on with the offline demo, configs/{OFFLINE_CONFIG.name}.", err=True)
        return work(OFFLINE_CONFIG)


def run(
    pipeline_name: str,
    config_path: Path,
    given: Given,
    out: Path | None,
    promote_anyway: bool,
    no_cache: bool,
) -> str:
    """Runs one pipeline and returns its closing summary.

    Raises:
        InputError: A user's mistake.
    """
    # 1. Everything that can be wrong, before anything slow is imported.
    if pipeline_name not in PIPELINES:
        raise unknown_name("pipeline", pipeline_name, PIPELINES)
    from finetrieve.app.preflight import check

    announce("Reading the documents and the questions ...")
    config = load_config(config_path, *given)
    check_named_server(pipeline_name, config)
    config = with_argilla_sets(pipeline_name, config)
    inputs = check(pipeline_name, config, out)

    # 2. The work; loading what it needs takes seconds.
    logger.info(f"{pipeline_name}: documents, model and settings are in order. Starting ZenML ...")
    from finetrieve.app.run import run_pipeline
    from finetrieve.app.run_metadata import RunMetadata, code_commit, typed_command

    run_metadata = RunMetadata(commit=code_commit(), command=typed_command(), promote_anyway=promote_anyway)
    return run_pipeline(pipeline_name, config, inputs, run_metadata, out, use_cache=not no_cache)


def show_dry_run(pipeline_name: str, config_path: Path, given: Given) -> str:
    """Returns what a run would ask an LLM and what it lacks, and asks nothing.

    Raises:
        InputError: A user's mistake.
    """
    if pipeline_name not in PIPELINES:
        raise unknown_name("pipeline", pipeline_name, PIPELINES)
    announce("Reading the documents and the questions ...")
    from finetrieve.app.dry_run import dry_run_text

    return dry_run_text(pipeline_name, load_config(config_path, *given))


def schedule(pipeline_name: str, config_path: Path | None, given: Given, cron: str, for_one_run: list[str]) -> str:
    """Puts one pipeline on the active stack's schedule, in place of the one it had, and returns what was scheduled.

    The documents are not looked at here: each scheduled run looks at them where it runs. `for_one_run` names options that were
    given and mean a single run.

    Raises:
        InputError: A user's mistake.
    """
    if pipeline_name not in SCHEDULABLE:
        raise unknown_name("pipeline for a schedule", pipeline_name, SCHEDULABLE)
    if for_one_run:
        raise InputError(
            f"{for_one_run[0]} and --schedule do not go together: a scheduled run takes what did not change from the cache, "
            "goes by the promotion rule, and keeps its results in ZenML's artifact store."
        )
    from finetrieve.app.remote.cron import check_cron

    line = check_cron(cron)
    path = config_path or DEFAULT_CONFIG
    config = load_config(path, *given)
    refuse_argilla_sets(config)

    from finetrieve.app.remote.schedules import schedule_pipeline

    return schedule_pipeline(pipeline_name, config, path, line)
