"""Prints queries that the rules write for a corpus: python benchmarks/show_queries.py PATH [--n 50] [--seed 13].

They are there to be read and judged. PATH is a folder or file of documentation, or the import name of an installed package.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]


@click.command()
@click.argument("path")
@click.option("--n", "wanted", default=50, show_default=True, help="How many queries.")
@click.option("--seed", default=13, show_default=True, help="Draws the chunks, and the words of the queries.")
@click.option("--per-chunk", default=6, show_default=True, help="Queries of a chunk at most.")
@click.option("--text/--no-text", default=False, help="With the chunk under its queries.")
def main(path: str, wanted: int, seed: int, per_chunk: int, text: bool) -> None:
    """Prints queries for chunks drawn from PATH, then the counts."""
    sys.path.insert(0, str(ROOT))
    from finetrieve.core.errors import InputError
    from finetrieve.core.rows import Chunk, GeneratedQuery
    from finetrieve.core.tables import Rows, to_table
    from finetrieve.corpus.chunking import build_chunks
    from finetrieve.corpus.settings import ChunkSettings
    from finetrieve.corpus.sources.package import PackageSource
    from finetrieve.corpus.sources.registry import read_source, source_from_path
    from finetrieve.generation.generate import generate
    from finetrieve.generation.recipes.rules_recipe import RulesRecipe
    from finetrieve.generation.settings import GenerationSettings
    from finetrieve.retrieval.base_model import load_tokenizer

    try:
        source = source_from_path(Path(path)) if Path(path).exists() or "/" in path else PackageSource(package=path)
        documents = read_source(source).documents
    except InputError as error:
        raise SystemExit(str(error)) from None
    chunks = build_chunks(documents, ChunkSettings(), load_tokenizer("embedded")).chunks
    settings = GenerationSettings(recipes=[RulesRecipe(queries_per_chunk=per_chunk)])
    with tempfile.TemporaryDirectory() as cache_dir:
        result = generate(to_table(chunks, Chunk), settings, seed, Path(cache_dir))

    queries: dict[str, list[str]] = {}
    for triplet in Rows(result.queries, GeneratedQuery):
        queries.setdefault(triplet.chunk_id, []).append(f"{triplet.query}  [{triplet.style}]")
    asked = [chunk for chunk in chunks if chunk.id in queries]
    random.Random(seed).shuffle(asked)
    shown = 0
    for chunk in asked:
        if shown >= wanted:
            break
        place = " > ".join(part for part in (chunk.title, chunk.section) if part)
        print(f"\n{place}")
        for query in queries[chunk.id]:
            print(f"    {query}")
        shown += len(queries[chunk.id])
        if text:
            print("        | " + chunk.text.replace("\n", "\n        | "))
    report = result.report
    print(f"\n{report.queries} queries for {report.chunks} chunks; {report.chunks_without_query} chunks have none")
    print(f"styles: {report.styles}\ndropped: {report.dropped}")


if __name__ == "__main__":
    main()
