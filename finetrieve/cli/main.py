"""The command line: `python run.py --pipeline retrain --docs my-docs`."""

from __future__ import annotations

import atexit
import gc
import logging
from pathlib import Path

import click

from finetrieve.app.catalogue import PIPELINES, describe_names
from finetrieve.app.zenml_environment import quiet_zenml
from finetrieve.app.zenml_store import ready_store
from finetrieve.cli.commands import CommandGroup, announce_start, refuse_options_before
from finetrieve.cli.options import filled, once
from finetrieve.core.errors import InputError
from finetrieve.core.logging import set_level

_NEW_OBJECTS = 20_000
"""Between two garbage collections, 700 by default. A start makes a million objects that stay, and to go through them again
and again takes a fifth of its time."""


@click.group(
    cls=CommandGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--pipeline",
    "pipeline_name",
    metavar="NAME",
    multiple=True,
    callback=once,
    help=f"What to run: {', '.join(PIPELINES)}.",
    shell_complete=lambda _context, _option, start: [name for name in PIPELINES if name.startswith(start)],
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(),
    multiple=True,
    callback=once,
    help="A YAML file. Default: configs/default.yaml.",
)
@click.option(
    "--docs",
    type=click.Path(),
    multiple=True,
    callback=once,
    help="Your documents: a folder, a file, a site (https://...) or a git repository (git+https://...).",
)
@click.option(
    "--eval-set",
    "eval_sets",
    type=click.Path(),
    multiple=True,
    callback=filled,
    metavar="PATH",
    help="Human questions: a CSV or JSONL file (question, page), a BEIR folder, or argilla:DATASET. Repeatable.",
)
@click.option(
    "--pairs",
    type=click.Path(),
    multiple=True,
    callback=filled,
    metavar="PATH",
    help="Pairs of your own: a table (query, positive), a BEIR folder, LlamaIndex or ragas JSON, hf:OWNER/NAME. Repeatable.",
)
@click.option(
    "--queries",
    type=click.Path(),
    multiple=True,
    callback=filled,
    metavar="FILE",
    help="Queries without answers: a text file or a search log. Repeatable.",
)
@click.option(
    "--base-model",
    "base_models",
    type=click.Path(),
    multiple=True,
    callback=filled,
    metavar="MODEL",
    help="embedded, a directory or a Hub id. Repeated: all are trained and compared, the best goes on.",
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one key of the YAML file: training.epochs=1. Repeatable."
)
@click.option(
    "--out", type=click.Path(), multiple=True, callback=once, help="Also write metrics.json, report.html and model/ here."
)
@click.option("--promote-anyway", is_flag=True, help="Put the trained model into production whatever the rule says; recorded.")
@click.option("--no-cache", is_flag=True, help="Run every step again, whatever the cache holds.")
@click.option(
    "--schedule",
    "cron",
    metavar="CRON",
    multiple=True,
    callback=once,
    help='Run it on the active ZenML stack at these times (UTC): "0 3 * * 1".',
)
@click.option("--dry-run", is_flag=True, help="Show sample prompts, tokens, cost and the time a run may take; ask nothing.")
@click.option("--verbose", "-v", is_flag=True, help="Also show details for debugging, by module.")
@click.option("--quiet", "-q", is_flag=True, help="Show warnings and the result only.")
@click.option("--list", "list_names", is_flag=True, help="Print every name that exists.")
@click.pass_context
def main(
    context: click.Context,
    pipeline_name: str | None,
    config_path: str | None,
    docs: str | None,
    eval_sets: tuple[str, ...],
    pairs: tuple[str, ...],
    queries: tuple[str, ...],
    base_models: tuple[str, ...],
    overrides: tuple[str, ...],
    out: str | None,
    promote_anyway: bool,
    no_cache: bool,
    cron: str | None,
    dry_run: bool,
    verbose: bool,
    quiet: bool,
    list_names: bool,
) -> None:
    """Turn documentation into a better retrieval model, and prove it.

    \b
    python run.py --pipeline retrain                    the demo: the documentation of beets
    python run.py --pipeline retrain --docs my-docs     your own documents
    """
    if verbose and quiet:
        raise InputError("--verbose and --quiet do not go together; give one of them.")
    gc.set_threshold(_NEW_OBJECTS)
    atexit.register(gc.freeze)  # Python would go through all of them again at its end: two seconds, also after Ctrl-C
    set_level(logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO)
    quiet_zenml(verbose)
    if context.invoked_subcommand is not None:
        refuse_options_before(context, context.invoked_subcommand)
        announce_start(context.invoked_subcommand, quiet)
        ready_store(make=False)  # a mistake is to be answered before ZenML is imported
        return
    if list_names:
        click.echo(describe_names())
        return
    if pipeline_name is None:
        raise InputError("Say what to run: --pipeline NAME. `python run.py --help` shows everything.")
    from finetrieve.cli import pipeline

    config = Path(config_path) if config_path else None
    given = pipeline.Given(docs, eval_sets, overrides, pairs, queries, base_models)
    if cron is not None and not dry_run:
        for_one_run = {"--out": out is not None, "--promote-anyway": promote_anyway, "--no-cache": no_cache}
        named = [name for name, is_given in for_one_run.items() if is_given]
        click.echo(pipeline.schedule(pipeline_name, config, given, cron, named))
        return

    def work(path: Path) -> str:
        if dry_run:
            return pipeline.show_dry_run(pipeline_name, path, given)
        return pipeline.run(pipeline_name, path, given, Path(out) if out else None, promote_anyway, no_cache)

    click.echo(pipeline.with_demo(config, given, work))
