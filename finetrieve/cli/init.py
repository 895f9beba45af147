"""`python run.py init [DIR]`: asks four questions and writes the files to start from with one's own documents."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from finetrieve.core.errors import InputError

Answer = TypeVar("Answer")


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option(
    "--docs",
    type=click.Path(),
    help="Your documents: a folder, a file, a site (https://...) or a git repository (git+https://...). Default: docs.",
)
@click.option("--name", help="Of the model. Default: after the documents.")
@click.option("--queries", metavar="rules|PROVIDER/MODEL", help="Who writes them: rules, or an LLM. Default: rules.")
@click.option("--review/--no-review", default=None, help="Whether people correct the queries in Argilla. Default: no.")
def command(folder: Path, docs: str | None, name: str | None, queries: str | None, review: bool | None) -> None:
    """Write a commented configuration, an empty question file and a .gitignore into DIR; overwrites nothing.

    What no option answers is asked, or, without a terminal, has its default.
    """
    from finetrieve.app.new_project import (
        IGNORED,
        RULES,
        Answers,
        check_documents,
        check_free,
        check_name,
        check_queries,
        write_project,
    )

    check_free(folder)
    asks = sys.stdin.isatty()
    documents: str | Path = (
        docs
        if docs is not None
        else _ask("Where are your documents (a folder, a file or a site)?", "docs", check_documents, asks)
    )
    if name is None and asks:
        name = _ask("What is the model called (Enter: as the documents)?", "", check_name, asks)
    if queries is None:
        queries = _ask(f"Who writes the queries ({RULES}, or an LLM as PROVIDER/MODEL)?", RULES, check_queries, asks)
    if review is None:
        review = asks and click.confirm("Will people correct the queries in Argilla?", default=False)
    written = write_project(folder, Answers(documents, name, queries, review))

    click.echo(f"Written: {', '.join(map(str, written))}.")
    if not asks:
        click.echo(
            f"documents: {documents}, queries: {queries}, review: {'yes' if review else 'no'}; no terminal, so nothing was asked."
        )
    if folder / IGNORED not in written:
        click.echo(f"{folder / IGNORED} is there and stays as it is; it should name results/ and .env.")
    run = f"python run.py --pipeline retrain --config {shlex.quote(str(written[0]))}"
    click.echo(f"\nLook at it:  {run} --dry-run\nRun it:      {run} --out {shlex.quote(str(folder / 'results'))}")
    click.echo(f"Then write 30 questions of people into {written[1]}, each with a right page, for evaluation.eval_sets.")


def _ask(question: str, default: str, checked: Callable[[str], Answer], asks: bool) -> Answer:
    """Returns the answer to a question, asked again until it can be used; without a terminal the default."""

    def proc(text: str) -> Answer:
        try:
            return checked(text.strip())
        except InputError as error:
            raise click.UsageError(str(error)) from None

    if not asks:
        return checked(default)
    answer: Answer = click.prompt(question, default=default, value_proc=proc, show_default=bool(default))
    return answer
