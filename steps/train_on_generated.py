"""The step that trains as if nobody had reviewed the queries: the other side of what the review is worth."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
from zenml import step

from finetrieve.core.paths import scratch_folder
from finetrieve.core.progress import reporter, say
from finetrieve.core.rows import Chunk, DocumentEntry, Triplet
from finetrieve.core.tables import to_rows
from finetrieve.evaluation.eval_sets import read_questions
from finetrieve.evaluation.settings import EvalSetSettings
from finetrieve.training.settings import SplitSettings, TrainingSettings
from finetrieve.training.split import split_pairs
from steps.caching import cache_policy
from steps.materializers import ModelDirectory, ModelMaterializer
from steps.split_queries import human_dev_pairs
from steps.train_model import checkpoint_root


@step(cache_policy=cache_policy(__file__), output_materializers={"generated_only_model": ModelMaterializer})
def train_on_generated(
    queries: pa.Table,
    chunks: pa.Table,
    documents: pa.Table,
    split: dict[str, Any],
    training: dict[str, Any],
    eval_sets: list[dict[str, Any]],
    eval_set_fingerprints: list[str],  # noqa: ARG001 (part of the cache key)
    base_model_fingerprint: str,  # noqa: ARG001 (part of the cache key)
    seed: int,
) -> Annotated[ModelDirectory, "generated_only_model"]:
    """Returns the model that the same settings give on the queries as they were generated."""
    from finetrieve.training.train import train_model as train  # torch: seconds, which a run from the cache need not wait

    human = [EvalSetSettings.model_validate(eval_set) for eval_set in eval_sets]
    rows, settings = to_rows(chunks, Chunk), TrainingSettings.model_validate(training)
    pairs = split_pairs(
        to_rows(queries, Triplet),
        rows,
        SplitSettings.model_validate(split),
        groups={entry.doc_id: entry.group for entry in to_rows(documents, DocumentEntry)},
        human_eval=bool(human),
        held_out_queries={text for eval_set in human for text in read_questions(eval_set).values()},
    ).pairs
    say("The same training on the generated queries alone")
    out = scratch_folder() / "model"
    both = [*pairs, *human_dev_pairs(human, rows)]
    result = train(both, rows, settings, settings.base_model, out, checkpoint_root(), seed, reporter("Training"))
    return ModelDirectory(result.model_dir)
