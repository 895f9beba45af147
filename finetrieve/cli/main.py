"""The command line: `python run.py --pipeline retrain --docs my-docs`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from finetrieve.app.catalogue import PIPELINES, SCHEDULABLE, catalogue
from finetrieve.cli.commands import LazyGroup, guarded
from finetrieve.core.errors import InputError, UnreachableError, unknown_name


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option("--pipeline", "pipeline_name", metavar="NAME", help=f"What to run: {', '.join(PIPELINES)}.")
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="A YAML file. Default: configs/default.yaml.",
)
@click.option(
    "--docs",
    type=click.Path(path_type=Path),
    help="Your documents: a folder or a file.",
)
@click.option(
    "--eval-set",
    "eval_sets",
    multiple=True,
    metavar="PATH",
    help="Human questions: a BEIR folder, or argilla:DATASET. Repeatable.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Also write metrics.json, report.html and model/ here.")
@click.option("--promote-anyway", is_flag=True, help="Put the trained model into production whatever the rule says; recorded.")
@click.option("--no-cache", is_flag=True, help="Run every step again, whatever the cache holds.")
@click.option("--schedule", "cron", metavar="CRON", help='Run it on the active ZenML stack at these times (UTC): "0 3 * * 1".')
@click.option("--dry-run", is_flag=True, help="Show sample prompts, counts, tokens and cost of the generation; ask nothing.")
@click.option("--list", "list_names", is_flag=True, help="Print every name that exists.")
@click.pass_context
def main(
    context: click.Context,
    pipeline_name: str | None,
    config_path: Path | None,
    docs: Path | None,
    eval_sets: tuple[str, ...],
    out: Path | None,
    promote_anyway: bool,
    no_cache: bool,
    cron: str | None,
    dry_run: bool,
    list_names: bool,
) -> None:
    """Turn documentation into a better retrieval model, and prove it.

    \b
    python run.py --pipeline retrain                    the demo: Django's documentation
    python run.py --pipeline retrain --docs my-docs     your own documents
    """
    if context.invoked_subcommand is not None:
        return
    if list_names:
        click.echo(catalogue())
        return
    if pipeline_name is None:
        raise click.UsageError("Say what to run: --pipeline NAME. `python run.py --help` shows everything.")
    if dry_run:
        sys.exit(guarded(lambda: with_demo(config_path, eval_sets, lambda path: show_dry_run(pipeline_name, path, docs))))
    if cron is not None:
        given = {"--out": out is not None, "--promote-anyway": promote_anyway, "--no-cache": no_cache}
        sys.exit(
            guarded(lambda: schedule(pipeline_name, config_path, docs, eval_sets, cron, [name for name in given if given[name]]))
        )

    def work(path: Path) -> None:
        run(pipeline_name, path, docs, eval_sets, out, promote_anyway, no_cache)

    sys.exit(guarded(lambda: with_demo(config_path, eval_sets, work)))


def with_demo(config_path: Path | None, eval_sets: tuple[str, ...], work: Callable[[Path], None]) -> None:
    """Does the work with the given configuration or else the demo's; where the demo cannot be fetched, with the offline demo's.

    Raises:
        InputError: A user's mistake; also documents out of reach that the user named, or has questions of their own about.
    """
    from finetrieve.app.config import DEFAULT_CONFIG, OFFLINE_CONFIG

    try:
        work(config_path or DEFAULT_CONFIG)
    except UnreachableError as error:
        if config_path is not None or eval_sets:
            raise
        click.echo(f"{error} Going on with the offline demo, configs/{OFFLINE_CONFIG.name}.", err=True)
        work(OFFLINE_CONFIG)


def run(
    pipeline_name: str,
    config_path: Path,
    docs: Path | None,
    eval_sets: tuple[str, ...],
    out: Path | None,
    promote_anyway: bool,
    no_cache: bool,
) -> None:
    """Runs one pipeline and prints its closing summary.

    Raises:
        InputError: A user's mistake.
    """
    # 1. Everything that can be wrong, before anything slow is imported.
    if pipeline_name not in PIPELINES:
        raise unknown_name("pipeline", pipeline_name, PIPELINES)
    from finetrieve.app.argilla_inputs import check_named_server, with_argilla_sets
    from finetrieve.app.config import load_config
    from finetrieve.app.preflight import check

    config = load_config(config_path, docs, eval_sets)
    check_named_server(pipeline_name, config)
    config = with_argilla_sets(pipeline_name, config)
    inputs = check(pipeline_name, config, out)

    # 2. The work.
    from finetrieve.app.provenance import Origin, code_commit
    from finetrieve.app.run import run_pipeline

    origin = Origin(commit=code_commit(), promote_anyway=promote_anyway)
    click.echo(run_pipeline(pipeline_name, config, inputs, origin, out, use_cache=not no_cache))


def show_dry_run(pipeline_name: str, config_path: Path, docs: Path | None) -> None:
    """Prints what a run would ask an LLM, and asks nothing.

    Raises:
        InputError: A user's mistake.
    """
    if pipeline_name not in PIPELINES:
        raise unknown_name("pipeline", pipeline_name, PIPELINES)
    from finetrieve.app.config import load_config
    from finetrieve.app.dry_run import dry_run_text

    click.echo(dry_run_text(pipeline_name, load_config(config_path, docs)))


def schedule(
    pipeline_name: str, config_path: Path | None, docs: Path | None, eval_sets: tuple[str, ...], cron: str, for_one_run: list[str]
) -> None:
    """Puts one pipeline on the active stack's schedule, in place of the one it had, and prints what was scheduled.

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
    from finetrieve.app.argilla_inputs import refuse_argilla_sets
    from finetrieve.app.config import DEFAULT_CONFIG, load_config
    from finetrieve.app.remote.cron import check_cron

    line = check_cron(cron)
    path = config_path or DEFAULT_CONFIG
    config = load_config(path, docs, eval_sets)
    refuse_argilla_sets(config)

    from finetrieve.app.run import quiet_zenml

    quiet_zenml()
    from finetrieve.app.remote.schedules import schedule_pipeline

    click.echo(schedule_pipeline(pipeline_name, config, path, line))
