"""The step that scores every arm on every evaluation set."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
from zenml import step

from finetrieve.core.progress import reporter
from finetrieve.core.rows import Chunk, DocumentEntry, DuplicateChunk, Pair
from finetrieve.core.tables import to_rows
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.evaluation.evaluate import evaluate
from finetrieve.evaluation.settings import EvaluationSettings
from steps.caching import cache_policy
from steps.materializers import JsonMaterializer, ModelDirectory, TableMaterializer


@step(
    cache_policy=cache_policy(__file__),
    output_materializers={
        "scores": JsonMaterializer,
        "scores_per_query": TableMaterializer,
        "evaluation_details": JsonMaterializer,
    },
)
def evaluate_model(
    model: ModelDirectory,
    chunks: pa.Table,
    documents: pa.Table,
    duplicates: pa.Table,
    settings: dict[str, Any],
    chunk_settings: dict[str, Any],
    base_model: str,
    base_model_fingerprint: str,  # noqa: ARG001 (part of the cache key)
    eval_set_fingerprints: list[str],  # noqa: ARG001 (part of the cache key)
    seed: int,
    pairs: pa.Table | None = None,
) -> tuple[
    Annotated[dict[str, Any], "scores"],
    Annotated[pa.Table, "scores_per_query"],
    Annotated[dict[str, Any], "evaluation_details"],
]:
    """Returns the metrics of all arms with intervals, the scores per query, and what the report shows of single queries."""
    result = evaluate(
        model=model.path,
        base_model=base_model,
        pairs=to_rows(pairs, Pair) if pairs is not None else [],
        chunks=to_rows(chunks, Chunk),
        documents=to_rows(documents, DocumentEntry),
        duplicates=to_rows(duplicates, DuplicateChunk),
        settings=EvaluationSettings.model_validate(settings),
        chunk_settings=ChunkSettings.model_validate(chunk_settings),
        seed=seed,
        progress=reporter,
    )
    return result.metrics, result.per_query, result.details
