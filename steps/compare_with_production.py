"""The step that puts the same questions to the model in production and compares, question by question."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
from zenml import get_step_context, step
from zenml.client import Client

from finetrieve.core.progress import reporter, say
from finetrieve.core.rows import Chunk, DocumentEntry, DuplicateChunk, Pair
from finetrieve.core.tables import to_rows
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.evaluation.evaluate import evaluate
from finetrieve.evaluation.settings import EvaluationSettings
from finetrieve.registry.promotion_rule import CANDIDATE_ARMS, compare_scores
from steps.caching import cache_policy
from steps.materializers import JsonMaterializer, ModelDirectory


@step(cache_policy=cache_policy(__file__), output_materializers={"comparison_with_production": JsonMaterializer})
def compare_with_production(
    model: ModelDirectory,  # noqa: ARG001 (its content hash tells whether it is the one in production)
    production_model: dict[str, Any],
    scores_per_query: pa.Table,
    chunks: pa.Table,
    documents: pa.Table,
    duplicates: pa.Table,
    pairs: pa.Table,
    settings: dict[str, Any],
    chunk_settings: dict[str, Any],
    eval_set_fingerprints: list[str],  # noqa: ARG001 (part of the cache key)
    seed: int,
) -> Annotated[dict[str, Any], "comparison_with_production"]:
    """Returns `against` (the version's label, or None), `is_production`, and `rows`: how the new model differs from it."""
    label = production_model.get("label")
    if label is None:
        return {"against": None, "is_production": False, "rows": []}
    if get_step_context().inputs["model"][0].content_hash == production_model["content_hash"]:
        return {"against": label, "is_production": True, "rows": []}
    say(f"The same questions to {label}, which is in production")
    evaluation = EvaluationSettings.model_validate(settings)
    arms = [arm for arm in evaluation.arms if arm in CANDIDATE_ARMS]
    if not arms:
        return {"against": label, "is_production": False, "rows": []}
    found = evaluate(
        model=Client().get_artifact_version(production_model["artifact"]).load().path,
        base_model=None,
        pairs=to_rows(pairs, Pair),
        chunks=to_rows(chunks, Chunk),
        documents=to_rows(documents, DocumentEntry),
        duplicates=to_rows(duplicates, DuplicateChunk),
        settings=evaluation.model_copy(update={"arms": arms, "dimensions": [], "bill": False}),
        chunk_settings=ChunkSettings.model_validate(chunk_settings),
        seed=seed,
        progress=reporter,
    )
    rows = compare_scores(scores_per_query, found.per_query, evaluation.bootstrap_samples, seed)
    return {"against": label, "is_production": False, "rows": rows}
