"""The counts and examples of a generation, by which a person judges it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from finetrieve.core.generation_report import GenerationReport, GraphCounts, Usage
from finetrieve.core.languages import language_shares
from finetrieve.core.rows import Chunk, ChunkLink, GeneratedQuery
from finetrieve.core.tables import Rows, to_rows
from finetrieve.generation.assemble import AssembledRows
from finetrieve.generation.diversity import diversity_report

_EXAMPLES_WITHOUT_QUERY = 5
_EXAMPLES_PER_STYLE = 3


def generation_report(
    chunks: pa.Table, rows: AssembledRows, usage: Mapping[str, Usage], topics: Sequence[str] = ()
) -> GenerationReport:
    """Returns the report."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("style", "persona", "recipe", "generator")}
    examples: dict[str, list[str]] = defaultdict(list)
    for row in Rows(rows.queries, GeneratedQuery):
        for name, count in counts.items():
            count[getattr(row, name)] += 1
        if len(examples[row.style]) < _EXAMPLES_PER_STYLE:
            examples[row.style].append(row.query)
    del counts["persona"][""]
    has_query = np.zeros(chunks.num_rows, dtype=np.bool_)
    has_query[rows.chunks] = True
    if further := {chunk_id for ids in pc.unique(rows.queries["further_chunk_ids"]).to_pylist() for chunk_id in ids.split()}:
        has_query |= pc.is_in(chunks["id"], value_set=pa.array(sorted(further))).to_numpy()
    without = np.flatnonzero(~has_query)
    shown = [to_rows(chunks.slice(place, 1), Chunk)[0] for place in without[:_EXAMPLES_WITHOUT_QUERY].tolist()]
    languages = chunks["language"].take(without).to_pylist() if "language" in chunks.column_names else []
    return GenerationReport(
        chunks=chunks.num_rows,
        queries=rows.queries.num_rows,
        queries_per_chunk=rows.queries.num_rows / chunks.num_rows if chunks.num_rows else 0.0,
        chunks_without_query=len(without),
        chunks_without_query_examples=[f"{chunk.title} | {chunk.text[:120]}" for chunk in shown],
        languages_without_query=language_shares([code for code in languages if code]),
        chunks_shortened=len(np.unique(rows.chunks[rows.queries["chunk_shortened"].to_numpy()])),
        styles=dict(counts["style"].most_common()),
        personas=dict(counts["persona"].most_common()),
        recipes=dict(counts["recipe"].most_common()),
        generators=dict(counts["generator"].most_common()),
        several_chunks=int(pc.sum(pc.not_equal(rows.queries["further_chunk_ids"], "")).as_py() or 0),
        diversity=diversity_report(chunks, rows.queries, rows.written, topics),
        graphs=_graphs(rows.links, chunks.num_rows),
        written=dict(Counter(rows.written["recipe"].to_pylist()).most_common()),
        dropped=dict(rows.dropped.most_common()),
        dropped_examples=[f"{reject.query!r}: {reject.reason}" for reject in rows.examples],
        failures=dict(rows.failures.most_common()),
        cost=sum(one.money for one in usage.values()),
        asked={label: one.model_copy(update=dict(one)) for label, one in sorted(usage.items())},  # zeros too are written
        examples=dict(examples),
    )


def _graphs(links: pa.Table, n_chunks: int) -> dict[str, GraphCounts]:
    """Returns recipe label -> the size of its graph."""
    parts: dict[str, dict[str, str]] = defaultdict(dict)
    kinds: dict[str, Counter[str]] = defaultdict(Counter)

    def root(of: dict[str, str], node: str) -> str:
        while (above := of.setdefault(node, node)) != node:
            of[node] = of.setdefault(above, above)  # halves the path
            node = of[node]
        return node

    for link in Rows(links, ChunkLink):
        kinds[link.recipe][link.kind] += 1
        of = parts[link.recipe]
        of[root(of, link.chunk_id)] = root(of, link.other_chunk_id)
    return {
        label: GraphCounts(
            nodes=n_chunks,
            edges=sum(kinds[label].values()),
            kinds=dict(kinds[label].most_common()),
            components=n_chunks - len(of) + sum(node == above for node, above in of.items()),
            alone=n_chunks - len(of),
        )
        for label, of in sorted(parts.items())
    }
