"""`python run.py models`: the versions of the trained models; compare, promote, roll back, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from finetrieve.retrieval.multi_vector import VectorPrecision


@click.group("models", invoke_without_command=True)
@click.option("--model", "model", metavar="NAME", help="Only this model; without it all are listed.")
@click.pass_context
def command(context: click.Context, model: str | None) -> None:
    """List trained models; compare, promote, roll back and export them.

    A VERSION is a number where there is one model, NAME:NUMBER otherwise; 'production' and 'staging' work too.
    """
    if context.invoked_subcommand is not None:
        return
    from finetrieve.registry.listing import listing
    from finetrieve.registry.versions import known_model, model_names, versions

    names = [known_model(model)] if model else model_names()
    if not names:
        click.echo("No model was trained yet. Run: python run.py --pipeline retrain --docs path/to/docs")
        return
    click.echo(listing({name: versions(name) for name in names}))


@command.command("compare")
@click.argument("first")
@click.argument("second")
def compare(first: str, second: str) -> None:
    """Show two versions side by side: how they were made, and what they scored."""
    from finetrieve.registry.listing import side_by_side
    from finetrieve.registry.versions import find_version

    click.echo(side_by_side(find_version(first), find_version(second)))


@command.command("promote")
@click.argument("version")
@click.option("--why", default="", help="Recorded with the version.")
def promote(version: str, why: str) -> None:
    """Put a version into production, whatever the rule said; the one that was there is archived."""
    from finetrieve.registry.manual_promotion import promote_by_hand
    from finetrieve.registry.versions import find_version

    click.echo(promote_by_hand(find_version(version), why))


@command.command("rollback")
@click.option("--model", "model", metavar="NAME", help="Which model, where there are several.")
@click.option("--why", default="", help="Recorded with the version that is taken out.")
def rollback(model: str | None, why: str) -> None:
    """Take the version in production out, and bring back the one before it."""
    from finetrieve.registry.manual_promotion import roll_back
    from finetrieve.registry.versions import known_model

    click.echo(roll_back(known_model(model), why))


@command.command("export")
@click.argument("version", default="production")
@click.option("--to", "target", type=click.Path(path_type=Path), required=True, help="A folder that does not exist, or is empty.")
@click.option("--onnx", is_flag=True, help="Also write an ONNX model (needs the extra `onnx`).")
@click.option("--dims", type=click.IntRange(1, 65_536), help="Of token vectors: how many numbers are to be stored.")
@click.option("--precision", type=click.Choice(["fp32", "int8", "binary"]), help="Of token vectors, as they are to be stored.")
@click.option("--pooling", type=click.IntRange(1, 16), help="Neighbouring tokens of a chunk that are stored as their mean.")
def export(
    version: str, target: Path, onnx: bool, dims: int | None, precision: VectorPrecision | None, pooling: int | None
) -> None:
    """Write a version, by default the one in production, as a sentence-transformers directory.

    Its folder `late` is the same model with a vector per token. How these are to be stored is written to late/settings.json: the
    point that the report recommends, or what the options ask for.
    """
    from finetrieve.registry.export import check_target, export_model

    check_target(target, onnx)
    from finetrieve.core.rows import Chunk, embedded_text
    from finetrieve.core.tables import to_rows
    from finetrieve.evaluation.result import EvaluationResult
    from finetrieve.registry.vector_settings import asked_settings
    from finetrieve.registry.versions import artifact_of, find_version, load_model

    found = find_version(version)
    texts = [embedded_text(chunk) for chunk in to_rows(artifact_of(found, "chunks").load(), Chunk)]
    settings, measured = asked_settings(EvaluationResult.read(artifact_of(found, "metrics").load()), dims, precision, pooling)
    export_model(load_model(found).path, target, onnx, texts, settings, measured)
    click.echo(f"{found.label} ({found.stage}) -> {target}{' and its onnx/model.onnx' if onnx else ''}")
    if settings is not None and measured is None:
        click.echo("What these token vectors cost and score was not measured: the report's bill has other points.")
