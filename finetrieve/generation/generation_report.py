"""The counts and examples of a generation, by which a person judges it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from finetrieve.core.rows import Chunk, Triplet
from finetrieve.core.tables import Rows, to_rows
from finetrieve.generation.assemble import Collected
from finetrieve.generation.run_state import Tally

_SILENT_EXAMPLES = 5
_EXAMPLES_PER_STYLE = 3


def generation_report(
    chunks: pa.Table, triplets: pa.Table, places: NDArray[np.uint64], found: Collected, tallies: Mapping[str, Tally]
) -> dict[str, Any]:
    """Returns the report.

    Args:
        chunks: The corpus.
        triplets: The rows that are left.
        places: Of each one's chunk in the corpus.
        found: What was dropped before.
        tallies: Recipe label -> what it asked for.
    """
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("style", "persona", "recipe", "generator")}
    examples: dict[str, list[str]] = defaultdict(list)
    for row in Rows(triplets, Triplet):
        for name, count in counts.items():
            count[getattr(row, name)] += 1
        if len(examples[row.style]) < _EXAMPLES_PER_STYLE:
            examples[row.style].append(row.query)
    del counts["persona"][""]
    asked = np.zeros(chunks.num_rows, dtype=np.bool_)
    asked[places] = True
    silent = np.flatnonzero(~asked)
    shown = [to_rows(chunks.slice(place, 1), Chunk)[0] for place in silent[:_SILENT_EXAMPLES].tolist()]
    return {
        "chunks": chunks.num_rows,
        "queries": triplets.num_rows,
        "queries_per_chunk": triplets.num_rows / chunks.num_rows if chunks.num_rows else 0.0,
        "chunks_without_query": len(silent),
        "chunks_without_query_examples": [f"{chunk.title} | {chunk.text[:120]}" for chunk in shown],
        "chunks_shortened": len(np.unique(places[triplets["chunk_shortened"].to_numpy()])),
        "styles": dict(counts["style"].most_common()),
        "personas": dict(counts["persona"].most_common()),
        "recipes": dict(counts["recipe"].most_common()),
        "generators": dict(counts["generator"].most_common()),
        "dropped": dict(found.dropped.most_common()),
        "dropped_examples": [f"{reject.query!r}: {reject.reason}" for reject in found.examples],
        "failures": dict(found.failures.most_common()),
        "cost": sum(tally.money for tally in tallies.values()),
        "asked": {label: asdict(tally) for label, tally in sorted(tallies.items())},
        "examples": dict(examples),
    }
