"""The step that measures what the review did to the metrics: the model with it against the one without, question by question."""

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
from finetrieve.registry.promotion_rule import CANDIDATE_ARMS, compare_scores
from steps.caching import cache_policy
from steps.materializers import JsonMaterializer, ModelDirectory


@step(cache_policy=cache_policy(__file__), output_materializers={"review_effect": JsonMaterializer})
def measure_review(
    generated_only_model: ModelDirectory,
    scores_per_query: pa.Table,
    chunks: pa.Table,
    documents: pa.Table,
    duplicates: pa.Table,
    pairs: pa.Table,
    settings: dict[str, Any],
    chunk_settings: dict[str, Any],
    eval_set_fingerprints: list[str],  # noqa: ARG001 (part of the cache key)
    seed: int,
) -> Annotated[dict[str, Any], "review_effect"]:
    """Returns `rows`: per evaluation set, arm and metric the reviewed model's value, the other's, and the difference.

    Both models answer the same questions, also where people corrected a generated one: what is measured is the training.
    """
    evaluation = EvaluationSettings.model_validate(settings)
    arms = [arm for arm in evaluation.arms if arm in CANDIDATE_ARMS]
    if not arms:
        return {"rows": []}
    found = evaluate(
        model=generated_only_model.path,
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
    return {"rows": compare_scores(scores_per_query, found.per_query, evaluation.bootstrap_samples, seed)}
