"""`python run.py models`: the versions of the trained models; compare, promote, demote, roll back, export."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetrieve.cli.options import JSON, MODEL, ListGroup, print_json, run_again_with
from finetrieve.core.errors import InputError

if TYPE_CHECKING:
    from finetrieve.retrieval.multi_vector import VectorPrecision


@click.group("models", cls=ListGroup)
def command() -> None:
    """List trained models; show, compare, promote, demote, roll back and export them.

    A VERSION is a number where there is one model or --model names it, else NAME:NUMBER; 'production' and 'staging' work too.
    """


@command.command("list")
@MODEL
@JSON
def list_(model: str | None, as_json: bool) -> None:
    """Show every version: date, corpus, nDCG@10 with interval, stage, reason."""
    from finetrieve.registry.listing import listing, version_facts
    from finetrieve.registry.versions import known_model, model_names, no_model, versions

    names = [known_model(model)] if model else model_names()
    if as_json:
        print_json([version_facts(version) for name in names for version in versions(name)])
    elif not names:
        click.echo(no_model())
    else:
        click.echo(listing({name: versions(name) for name in names}))


@command.command("show")
@click.argument("version", default="production")
@MODEL
@JSON
def show(version: str, model: str | None, as_json: bool) -> None:
    """Show where a version comes from and what it scored: base model, run, command, commit, questions, decision."""
    from finetrieve.registry.listing import details, version_facts
    from finetrieve.registry.versions import find_version

    found = find_version(version, model)
    if as_json:
        print_json(version_facts(found))
    else:
        click.echo(details(found))


@command.command("compare")
@click.argument("first")
@click.argument("second")
@MODEL
@JSON
def compare(first: str, second: str, model: str | None, as_json: bool) -> None:
    """Show two versions side by side: how they were made, and what they scored."""
    from finetrieve.registry.listing import comparison_facts, side_by_side
    from finetrieve.registry.versions import find_version

    found = find_version(first, model), find_version(second, model)
    if as_json:
        print_json(comparison_facts(*found))
    else:
        click.echo(side_by_side(*found))


@command.command("promote")
@click.argument("version")
@MODEL
@click.option("--why", default="", help="Recorded with the version.")
@click.option("--yes", is_flag=True, help="Do not ask where the rule did not promote it.")
def promote(version: str, model: str | None, why: str, yes: bool) -> None:
    """Put a version into production; the one that was there is archived. Asks first where the rule did not promote it."""
    from finetrieve.registry.manual_promotion import check_promotable, promote_by_hand
    from finetrieve.registry.versions import find_version

    found = find_version(version, model)
    refusal = check_promotable(found)
    if refusal and not yes:
        _ask_to_promote(found.label, refusal)
    click.echo(promote_by_hand(found, why))


def _ask_to_promote(label: str, refusal: str) -> None:
    said = f"The rule did not promote {label}: {refusal}"
    if not sys.stdin.isatty():
        raise InputError(f"{said} To promote it all the same: {run_again_with('--yes')}")
    click.echo(said)
    click.confirm("Promote it all the same?", abort=True)


@command.command("demote")
@click.argument("version")
@MODEL
@click.option("--why", default="", help="Recorded with the version.")
def demote(version: str, model: str | None, why: str) -> None:
    """Take the version in production out; nothing is in production then, and the base model answers."""
    from finetrieve.registry import manual_promotion
    from finetrieve.registry.versions import find_version

    click.echo(manual_promotion.demote(find_version(version, model), why))


@command.command("rollback")
@MODEL
@click.option("--why", default="", help="Recorded with the version that is taken out.")
def rollback(model: str | None, why: str) -> None:
    """Take the version in production out, and bring back the one before it."""
    from finetrieve.registry.manual_promotion import roll_back
    from finetrieve.registry.versions import known_model

    click.echo(roll_back(known_model(model), why))


@command.command("export")
@click.argument("version", default="production")
@MODEL
@click.option("--to", "target", type=click.Path(path_type=Path), required=True, help="A folder that does not exist, or is empty.")
@click.option("--onnx", is_flag=True, help="Also write an ONNX model (needs the extra `onnx`).")
@click.option("--dims", type=click.IntRange(1, 65_536), help="Of token vectors: how many numbers are to be stored.")
@click.option("--precision", type=click.Choice(["fp32", "int8", "binary"]), help="Of token vectors, as they are to be stored.")
@click.option("--pooling", type=click.IntRange(1, 16), help="Neighbouring tokens of a chunk that are stored as their mean.")
def export(
    version: str,
    model: str | None,
    target: Path,
    onnx: bool,
    dims: int | None,
    precision: VectorPrecision | None,
    pooling: int | None,
) -> None:
    """Write a version, by default the one in production, as a sentence-transformers directory.

    Its folder `late` is the same model with a vector per token. How these are to be stored is written to late/settings.json: the
    point that the report recommends, or what the options ask for.
    """
    from finetrieve.registry.export import check_target, export_model

    check_target(target, onnx)
    from finetrieve.core.rows import embedded_text
    from finetrieve.registry.listing import provenance_of
    from finetrieve.registry.vector_settings import asked_settings
    from finetrieve.registry.versions import chunks_of, find_version, load_model, metrics_of
    from finetrieve.reporting.model_card import write_card

    found = find_version(version, model)
    texts = [embedded_text(chunk) for chunk in chunks_of(found)]
    metrics = metrics_of(found)
    settings, measured = asked_settings(metrics, dims, precision, pooling)
    card = partial(write_card, metrics=metrics, provenance=provenance_of(found))
    export_model(load_model(found).path, target, onnx, texts, settings, measured, card)
    click.echo(f"{found.label} ({found.stage}) -> {target}{' and its onnx/model.onnx' if onnx else ''}")
    if settings is not None and measured is None:
        click.echo("What these token vectors cost and score was not measured: the report's bill has other points.")
