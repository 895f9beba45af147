"""The step that writes queries for the chunks with distilabel."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from zenml import step

from steps.caching import cache_policy
from steps.generation.run import generate
from steps.generation.settings import GenerationSettings
from steps.materializers import JsonMaterializer, TableMaterializer
from steps.progress import reporter, say
from steps.rows import Chunk, Reject, Triplet
from steps.tables import to_rows, to_table


@step(
    cache_policy=cache_policy(__file__),
    output_materializers={
        "generated_queries": TableMaterializer,
        "unreadable_queries": TableMaterializer,
        "generation_report": JsonMaterializer,
    },
)
def generate_queries(
    chunks: pa.Table, settings: dict[str, Any], seed: int
) -> tuple[
    Annotated[pa.Table, "generated_queries"],
    Annotated[pa.Table, "unreadable_queries"],
    Annotated[dict[str, Any], "generation_report"],
]:
    """Returns the queries with their chunks, what was dropped because it read badly, and the counts."""
    recipes = GenerationSettings.model_validate(settings)
    with tempfile.TemporaryDirectory(prefix="finetrieve-distilabel-") as cache_dir:
        result = generate(to_rows(chunks, Chunk), recipes, seed, Path(cache_dir), reporter("Chunks asked about"))
    say(f"{len(result.triplets):,} queries for {chunks.num_rows:,} chunks")
    return to_table(result.triplets, Triplet), to_table(result.rejects, Reject), result.report
