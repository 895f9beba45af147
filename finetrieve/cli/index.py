"""`finetrieve index --to DIR`: the vectors of a version, written for a search engine and checked against its evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from finetrieve.cli.options import JSON, MODEL, print_json
from finetrieve.core.errors import InputError
from finetrieve.core.numbers import counted
from finetrieve.engines.drift import TOLERANCE

if TYPE_CHECKING:
    from finetrieve.app.vector_index import Vectors
    from finetrieve.retrieval.multi_vector import VectorPrecision


@click.command("index")
@click.argument("version", default="production")
@MODEL
@click.option("--to", "target", type=click.Path(path_type=Path), required=True, help="A new or empty folder, or one from before.")
@click.option(
    "--load",
    "places",
    multiple=True,
    metavar="ENGINE:PATH",
    help="Also load it: lancedb:PATH, qdrant:PATH, pgvector:PATH. Repeatable.",
)
@click.option("--vectors", type=click.Choice(["dense", "late", "both"]), help="Default: what the recommended search reads.")
@click.option("--dimensions", type=click.IntRange(1, 65_536), help="Numbers of each vector. Default: as recommended.")
@click.option("--precision", type=click.Choice(["fp32", "int8", "binary"]), help="Default: as recommended.")
@click.option("--pooling", type=click.IntRange(1, 16), help="Tokens of a chunk that share a vector. Default: as recommended.")
@click.option(
    "--eval-set",
    "eval_set",
    type=click.Path(),
    metavar="PATH",
    help="Questions to check it with. Default: the test questions of its run.",
)
@click.option("--questions", "most", type=click.IntRange(1), default=100, show_default=True, help="Asked at most.")
@click.option(
    "--tolerance", type=click.FloatRange(0, 1), default=TOLERANCE, show_default=True, help="nDCG@10 that may lie between."
)
@JSON
def command(
    version: str,
    model: str | None,
    target: Path,
    places: tuple[str, ...],
    vectors: Vectors | None,
    dimensions: int | None,
    precision: VectorPrecision | None,
    pooling: int | None,
    eval_set: str | None,
    most: int,
    tolerance: float,
    as_json: bool,
) -> None:
    """Write the vectors of a version with ids and texts as Parquet, and load them into a search engine.

    What is served is then checked against what was evaluated: nDCG@10 of both on the same questions. README.md in the folder says
    how to load the files elsewhere. Run again after an interrupt, it goes on where it was.
    """
    # 1. What can be wrong.
    from finetrieve.engines.base import engine_at
    from finetrieve.engines.folder import check_vector_folder

    check_vector_folder(target)
    for place in places:
        engine, folder = engine_at(place)
        if engine.name == "parquet":
            raise InputError(f"--load '{place}' names no engine; expected lancedb:PATH, qdrant:PATH or pgvector:PATH.")
        check_vector_folder(folder)
    from finetrieve.app.vector_index import choose_vectors, reorder_only, served, vector_dims
    from finetrieve.registry.versions import find_version

    found = find_version(version, model)
    source = served(found)
    stored = choose_vectors(source.metrics, vector_dims(source.model), vectors, dimensions, precision, pooling)
    from finetrieve.app.vector_index import drift_of, load_into_engine, questions_in, questions_of, write_index

    questions = questions_in(eval_set, source) if eval_set is not None else questions_of(found, source)

    # 2. The files, and the engines.
    written = {str(target): write_index(source, target, stored)}
    written |= {place: load_into_engine(target, place) for place in places}

    # 3. The drift gate.
    from finetrieve.engines.drift import check_drift, drift_text, late_note

    for_order = reorder_only(source.metrics, stored)
    drifts = {} if questions is None else drift_of(list(written), source, questions, most)
    if as_json:
        rows = {place: [{**vars(drift), "difference": drift.difference} for drift in drifts.get(place, [])] for place in written}
        print_json({"version": source.label, "chunks": len(source.chunks), "stored": stored.as_dict(), "drift": rows})
    else:
        kinds = ", ".join(f"{way}: {kind['dims']} {kind['precision']}" for way, kind in stored.as_dict().items())
        for place, is_new in written.items():
            state = "->" if is_new else "is there already:" if len(source.chunks) == 1 else "are there already:"
            click.echo(f"{counted(len(source.chunks), 'chunk')} of {source.label} ({kinds}) {state} {place}")
        for place, measured in drifts.items():
            click.echo(f"\n{drift_text(measured, place)}")
            if for_order and (note := late_note(measured, tolerance)):
                click.echo(note)
        if questions is None:
            click.echo("Not checked against the evaluation: no test questions of its run are left. Give some with --eval-set.")
    for place, measured in drifts.items():
        check_drift(measured, place, tolerance, for_order)
