"""The step that filters the generated queries."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
from pydantic import TypeAdapter
from zenml import step

from finetrieve.core.progress import say
from finetrieve.core.rows import Chunk, Reject, Triplet
from finetrieve.core.tables import to_rows, to_table
from finetrieve.curation.filters import curate
from finetrieve.curation.settings import FilterSettings
from steps.caching import cache_policy
from steps.materializers import JsonMaterializer, TableMaterializer


@step(
    cache_policy=cache_policy(__file__),
    output_materializers={
        "queries": TableMaterializer,
        "rejected_queries": TableMaterializer,
        "curation_report": JsonMaterializer,
    },
)
def curate_queries(
    generated_queries: pa.Table,
    chunks: pa.Table,
    filters: list[dict[str, Any]],
    base_model: str,
    base_model_fingerprint: str,  # noqa: ARG001 (part of the cache key)
) -> tuple[
    Annotated[pa.Table, "queries"],
    Annotated[pa.Table, "rejected_queries"],
    Annotated[dict[str, Any], "curation_report"],
]:
    """Returns the queries that pass every filter, the others with the reason, and the keep rates."""
    settings = TypeAdapter(list[FilterSettings]).validate_python(filters)
    result = curate(to_rows(generated_queries, Triplet), to_rows(chunks, Chunk), settings, base_model)
    say(f"{len(result.triplets):,} of {generated_queries.num_rows:,} queries kept")
    return to_table(result.triplets, Triplet), to_table(result.rejects, Reject), result.report
