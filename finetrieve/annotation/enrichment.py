"""Curated queries with what a person who reviews them should see: similarities, vectors, the side of the split, the order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from finetrieve.annotation.review_priority import review_priorities
from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.rows import Chunk, GeneratedQuery, QueryFacts, embedded_text
from finetrieve.retrieval.vector_cache import Embedder


@dataclass(frozen=True)
class Enriched:
    """Facts about queries, those that need a person most first, and the vectors of queries and chunks."""

    facts: list[QueryFacts]
    query_vectors: pa.Table
    """`id` of the triplet and `vector`."""
    chunk_vectors: pa.Table
    """`id` of the chunk and `vector`: one row for each chunk that is asked about."""


def enrich(
    triplets: Sequence[GeneratedQuery],
    chunks: Iterable[Chunk],
    splits: Sequence[str],
    embedder: Embedder,
) -> Enriched:
    """Returns the facts about queries; every distinct text is embedded once, and all cosines come from these vectors.

    Args:
        triplets: Curated queries.
        chunks: The corpus.
        splits: The side on which each query falls.
        embedder: The base model.
    """
    asked = list(dict.fromkeys(triplet.chunk_id for triplet in triplets))
    wanted = set(asked)
    of_id = {chunk.id: chunk for chunk in chunks if chunk.id in wanted}
    row_of = {chunk_id: row for row, chunk_id in enumerate(asked)}
    # 1. One vector per distinct text.
    chunk_vectors = embedder.embed([embedded_text(of_id[chunk_id]) for chunk_id in asked], "document")  # (n_asked, dim)
    texts = [triplet.query for triplet in triplets]
    with_negative = [row for row, triplet in enumerate(triplets) if triplet.negative_query]
    texts += [str(triplets[row].negative_query) for row in with_negative]
    query_vectors = embedder.embed(texts, "query")  # (n_triplets + n_negatives, dim)
    queries, negatives = query_vectors[: len(triplets)], query_vectors[len(triplets) :]
    # 2. All cosines at once: row i with row i.
    own = chunk_vectors[[row_of[triplet.chunk_id] for triplet in triplets]] if triplets else chunk_vectors[:0]
    to_chunk = _cosines(queries, own)
    negative_to_chunk = _spread(_cosines(negatives, own[with_negative]), with_negative, len(triplets))
    negative_to_query = _spread(_cosines(negatives, queries[with_negative]), with_negative, len(triplets))
    # 3. Order.
    priorities = review_priorities(triplets, to_chunk, negative_to_chunk)
    facts = [
        QueryFacts(triplet.id, split, *cosines, *priority)
        for triplet, split, priority, *cosines in zip(
            triplets, splits, priorities, to_chunk, negative_to_chunk, negative_to_query, strict=True
        )
    ]
    facts.sort(key=lambda fact: (-fact.review_priority, fact.id))
    return Enriched(facts, vector_table([t.id for t in triplets], queries), vector_table(asked, chunk_vectors))


def _cosines(left: FloatMatrix, right: FloatMatrix) -> list[float]:
    """Returns the cosine of each row with its counterpart, in four decimals: the same vectors give the same numbers anywhere."""
    return [round(float(value), 4) for value in np.einsum("ij,ij->i", left, right)]


def _spread(values: Sequence[float], rows: Sequence[int], length: int) -> list[float | None]:
    found: list[float | None] = [None] * length
    for row, value in zip(rows, values, strict=True):
        found[row] = value
    return found


def vector_table(ids: Sequence[str], vectors: FloatMatrix) -> pa.Table:
    """Returns a table of `id` and `vector`."""
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1), pa.float32())
    lists = pa.FixedSizeListArray.from_arrays(flat, max(1, vectors.shape[1]))
    return pa.table({"id": pa.array(ids, pa.string()), "vector": lists})


def vectors_by_id(table: pa.Table) -> dict[str, npt.NDArray[np.float32]]:
    """Returns id -> vector of a table that `vector_table` made."""
    column = table.column("vector").combine_chunks()
    width = column.type.list_size
    matrix = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, width) if len(column) else np.zeros((0, width))
    return dict(zip(table.column("id").to_pylist(), matrix, strict=True))
