"""The step that finds out what people who review the queries should see."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
from zenml import step

from finetrieve.annotation.enrichment import enrich
from finetrieve.core.progress import reporter
from finetrieve.core.rows import Chunk, DocumentEntry, QueryFacts, Triplet
from finetrieve.core.tables import to_rows, to_table
from finetrieve.retrieval.vector_cache import CachedEmbedder
from finetrieve.training.settings import SplitSettings
from steps.caching import cache_policy
from steps.materializers import TableMaterializer


@step(
    cache_policy=cache_policy(__file__),
    output_materializers={
        "query_facts": TableMaterializer,
        "query_vectors": TableMaterializer,
        "chunk_vectors": TableMaterializer,
    },
)
def enrich_queries(
    queries: pa.Table,
    chunks: pa.Table,
    documents: pa.Table,
    split: dict[str, Any],
    human_eval: bool,
    base_model: str,
    base_model_fingerprint: str,  # noqa: ARG001 (part of the cache key)
) -> tuple[
    Annotated[pa.Table, "query_facts"],
    Annotated[pa.Table, "query_vectors"],
    Annotated[pa.Table, "chunk_vectors"],
]:
    """Returns similarities, sides and the order of review, and the vectors of queries and chunks."""
    encoder = CachedEmbedder(base_model, on_progress=reporter("Chunks encoded"))
    groups = {entry.doc_id: entry.group for entry in to_rows(documents, DocumentEntry)}
    shares = SplitSettings.model_validate(split)
    found = enrich(to_rows(queries, Triplet), to_rows(chunks, Chunk), shares, groups, human_eval, encoder)
    return to_table(found.facts, QueryFacts), found.query_vectors, found.chunk_vectors
