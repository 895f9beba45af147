"""Our push to Argilla beside the usual one: `python benchmarks/annotation_push.py [--rows 2000] [--docs FOLDER]`.

The usual one is that of ZenML's guide to fine-tuning embeddings: the chunk is encoded twice, query and negative once per row,
cosines are taken pair by pair, records are numbered, and the SDK sends them to an unmodified server. Ours encodes each distinct
text once, takes all cosines at once, names records after their content and compares before it sends. Both run on this machine,
in the same run, with the same rows, on servers of their own in a folder that is removed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from annotation_server import plain_server  # noqa: E402

from finetrieve.annotation.client import Server, find_workspace  # noqa: E402
from finetrieve.annotation.connection import connect_embedded  # noqa: E402
from finetrieve.annotation.dataset import ensure_dataset  # noqa: E402
from finetrieve.annotation.enrichment import Enriched, enrich, vectors_by_id  # noqa: E402
from finetrieve.annotation.push import push  # noqa: E402
from finetrieve.annotation.records import make_records  # noqa: E402
from finetrieve.argilla_server import RunningServer, stop_server  # noqa: E402
from finetrieve.core.annotation_report import PushReport  # noqa: E402
from finetrieve.core.progress import Progress  # noqa: E402
from finetrieve.core.rows import Chunk, GeneratedQuery, embedded_text  # noqa: E402

Result = TypeVar("Result")
NAME = "push"


@dataclass(frozen=True)
class Rows:
    """What is pushed."""

    triplets: list[GeneratedQuery]
    chunks: list[Chunk]

    @property
    def of_id(self) -> dict[str, Chunk]:
        """The chunks by id."""
        return {chunk.id: chunk for chunk in self.chunks}


def main() -> None:
    """Pushes the same rows both ways, twice, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--docs", type=Path, help="documents to ask about; default: those of configs/default.yaml")
    options = parser.parse_args()
    rows = make_rows(options.docs, options.rows)
    n = len(rows.triplets)
    print(f"{n:,} queries, each with a negative, about {len({row.chunk_id for row in rows.triplets}):,} chunks\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="finetrieve-push-") as folder:
        guide, guide_again, guide_cosines, guide_encoding = as_the_guide_does(rows, Path(folder, "plain"))
        ours, ours_again, facts, our_encoding, again = as_we_do(rows, Path(folder, "ours"))
    head = f"{'seconds':42}{'guide':>10}{'ours':>10}{'ratio':>9}"
    print(f"\n{head}\n{'-' * len(head)}")
    table_row("vectors and cosines", guide_encoding, our_encoding)
    table_row(f"sending {n:,} new records", guide, ours)
    table_row("sending the same again", guide_again, ours_again)
    print(f"\nrecords per second      guide {n / guide:,.0f}, ours {n / ours:,.0f}")
    print(f"ours, the same again    {again.changes} changes, {ours / ours_again:.1f} times as fast as the first time")
    print(f"cosines                 differ by {np.abs(facts - guide_cosines).max():.4f} at most")


def table_row(what: str, guide: float, ours: float) -> None:
    """Prints one comparison."""
    print(f"{what:42}{guide:>10.1f}{ours:>10.1f}{guide / ours:>8.1f}x")


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Returns the seconds that some work took, and its result."""
    started = time.monotonic()
    result = work()
    return time.monotonic() - started, result


def make_rows(docs: Path | None, wanted: int) -> Rows:
    """Returns queries that the rules write about documents; the negative of each is a query about the next chunk."""
    from finetrieve.app.config import DEFAULT_CONFIG, load_config
    from finetrieve.corpus.chunking import build_chunks
    from finetrieve.corpus.sources.registry import read_source
    from finetrieve.generation.chunk_context import build_contexts
    from finetrieve.generation.recipes.rules import write_queries
    from finetrieve.retrieval.base_model import EMBEDDED, load_tokenizer

    config = load_config(DEFAULT_CONFIG, docs)
    chunks = build_chunks(read_source(config.source).documents, config.chunks, load_tokenizer(EMBEDDED)).chunks
    asked = ((passage.id, write_queries(passage, config.seed, 6).queries) for passage in build_contexts(chunks))
    found = list(islice(((chunk_id, *query) for chunk_id, queries in asked for query in queries), wanted))
    following = [*(query for _, query, _ in found[8:]), *(query for _, query, _ in found[:8])]
    triplets = [
        GeneratedQuery(f"{chunk_id}-{number}", chunk_id, query, negative, style, "rules", "rules")
        for number, ((chunk_id, query, style), negative) in enumerate(zip(found, following, strict=True))
    ]
    return Rows(triplets, chunks)


# The usual way.


def as_the_guide_does(rows: Rows, home: Path) -> tuple[float, float, Any, float]:
    """Returns the seconds of a push, of the same push again, the cosines of chunk and query, and the seconds for vectors."""
    from sentence_transformers import SentenceTransformer
    from sklearn.metrics.pairwise import cosine_similarity

    from finetrieve.retrieval.base_model import EMBEDDED, resolve_base_model

    of_id = rows.of_id
    anchors = [embedded_text(of_id[row.chunk_id]) for row in rows.triplets]
    positives = [row.query for row in rows.triplets]
    negatives = [str(row.negative_query) for row in rows.triplets]

    def format_data() -> dict[str, Any]:
        model = SentenceTransformer(str(resolve_base_model(EMBEDDED)))
        columns = {"anchor": anchors, "question": anchors, "positive": positives, "negative": negatives}
        found: dict[str, Any] = {
            name: [vector.tolist() for vector in model.encode(texts, show_progress_bar=False)] for name, texts in columns.items()
        }
        for one, other in (("positive", "negative"), ("anchor", "positive"), ("anchor", "negative")):
            pairs = zip(found[one], found[other], strict=True)
            found[f"{one}-{other}"] = [float(cosine_similarity([left], [right])[0][0]) for left, right in pairs]
        return found

    encoding, data = timed(format_data)
    with plain_server(home) as connection:
        dataset = guide_dataset(connection, len(data["anchor"][0]))
        records = guide_records(rows, anchors, data)
        with Path(os.devnull).open("w") as silent, contextlib.redirect_stderr(silent):
            first, _ = timed(lambda: dataset.records.log(records))
            second, _ = timed(lambda: dataset.records.log(records))
    return first, second, np.array(data["anchor-positive"]), encoding


def guide_dataset(connection: RunningServer, dimensions: int) -> Any:
    """Returns a dataset of one field, two questions, five metadata and a vector."""
    import argilla as rg

    client = rg.Argilla(api_url=connection.url, api_key=connection.api_key)
    cosines = ("similarity-positive-negative", "similarity-anchor-positive", "similarity-anchor-negative")
    settings = rg.Settings(
        fields=[rg.TextField("anchor")],
        questions=[rg.TextQuestion("positive"), rg.TextQuestion("negative")],
        metadata=[
            rg.TermsMetadataProperty("parent_section"),
            rg.IntegerMetadataProperty("token_count"),
            *(rg.FloatMetadataProperty(name) for name in cosines),
        ],
        vectors=[rg.VectorField("anchor-vector", dimensions=dimensions)],
    )
    return rg.Dataset(name=NAME, settings=settings, workspace=connection.workspace, client=client).create()


def guide_records(rows: Rows, anchors: Sequence[str], data: dict[str, Any]) -> list[Any]:
    """Returns the SDK's records, numbered."""
    import argilla as rg

    of_id = rows.of_id
    return [
        rg.Record(
            id=str(number),
            fields={"anchor": anchors[number]},
            suggestions=[
                rg.Suggestion("positive", value=row.query, agent="rules", type="model"),
                rg.Suggestion("negative", value=row.negative_query, agent="rules", type="model"),
            ],
            metadata={
                "parent_section": of_id[row.chunk_id].section or "-",
                "token_count": of_id[row.chunk_id].n_tokens,
                "similarity-positive-negative": data["positive-negative"][number],
                "similarity-anchor-positive": data["anchor-positive"][number],
                "similarity-anchor-negative": data["anchor-negative"][number],
            },
            vectors={"anchor-vector": data["anchor"][number]},
        )
        for number, row in enumerate(rows.triplets)
    ]


# Ours.


def as_we_do(rows: Rows, home: Path) -> tuple[float, float, Any, float, PushReport]:
    """Returns the seconds of a push and of the same push again, the cosines, the seconds for vectors, and the second report."""
    from finetrieve.retrieval.base_model import EMBEDDED
    from finetrieve.retrieval.vector_cache import CachedEmbedder
    from finetrieve.training.settings import SplitSettings
    from finetrieve.training.split import split_pairs

    with tempfile.TemporaryDirectory() as nothing_kept:
        embedder = CachedEmbedder(EMBEDDED, folder=Path(nothing_kept))
        splits = [pair.split for pair in split_pairs(rows.triplets, rows.chunks, SplitSettings(), groups={}).pairs]
        encoding, enriched = timed(lambda: enrich(rows.triplets, rows.chunks, splits, embedder))
    try:
        with Server(connect_embedded(home)) as server:
            first, _ = timed(lambda: push_once(server, rows, enriched))
            second, again = timed(lambda: push_once(server, rows, enriched))
    finally:
        stop_server(home)
    similarity = {fact.id: fact.chunk_similarity for fact in enriched.facts}
    return first, second, np.array([similarity[row.id] for row in rows.triplets]), encoding, again


def push_once(server: Server, rows: Rows, enriched: Enriched) -> PushReport:
    """Returns the report of the whole push step, from tables to the last answer."""
    of_id, of_query = rows.of_id, {row.id: row for row in rows.triplets}
    chunk_vectors, query_vectors = vectors_by_id(enriched.chunk_vectors), vectors_by_id(enriched.query_vectors)
    records = make_records(enriched.facts, of_query, of_id, chunk_vectors, query_vectors)
    dimensions = enriched.chunk_vectors.column("vector").type.list_size
    dataset = ensure_dataset(server, find_workspace(server), NAME, dimensions, 1)
    return push(server, dataset, records, of_query.keys(), of_id.keys(), unheard)


def unheard(_label: str) -> Progress:
    """Returns a progress that is shown to nobody."""

    def report(done: int, total: int, details: str = "") -> None:
        """Takes what it is told."""

    return report


if __name__ == "__main__":
    main()
