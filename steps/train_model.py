"""The step that fine-tunes the base model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from zenml import step

from finetrieve.core.paths import scratch_folder, user_cache
from finetrieve.core.progress import reporter, say
from finetrieve.core.rows import Chunk, Pair
from finetrieve.core.tables import to_rows
from finetrieve.training.settings import TrainingSettings
from steps.caching import cache_policy
from steps.materializers import JsonMaterializer, ModelDirectory, ModelMaterializer


@step(
    cache_policy=cache_policy(__file__),
    output_materializers={"model": ModelMaterializer, "training_record": JsonMaterializer},
)
def train_model(
    pairs: pa.Table,
    chunks: pa.Table,
    settings: dict[str, Any],
    seed: int,
    base_model_fingerprint: str,  # noqa: ARG001 (part of the cache key)
) -> tuple[Annotated[ModelDirectory, "model"], Annotated[dict[str, Any], "training_record"]]:
    """Returns the model that dev chose and the record of its training; a run that was cut off continues."""
    from finetrieve.training.train import train_model as train  # torch: seconds, which a run from the cache need not wait

    training = TrainingSettings.model_validate(settings)
    out = scratch_folder() / "model"
    result = train(
        to_rows(pairs, Pair),
        to_rows(chunks, Chunk),
        training,
        training.base_model,
        out,
        checkpoint_root(),
        seed,
        reporter("Training"),
    )
    say(f"trained in {result.record['seconds']:.0f} s")
    return ModelDirectory(result.model_dir), result.record


def checkpoint_root() -> Path:
    """Returns the folder for unfinished trainings, under the user's cache directory."""
    return user_cache() / "finetrieve" / "checkpoints"
