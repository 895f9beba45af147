"""The step that brings a model from outside into the artifact store, so that its evaluation has a lineage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from zenml import step

from finetrieve.retrieval.encoder import fetch_model
from steps.caching import cache_policy
from steps.materializers import ModelDirectory, ModelMaterializer


@step(cache_policy=cache_policy(__file__), output_materializers={"model": ModelMaterializer})
def import_model(model: str, model_fingerprint: str) -> Annotated[ModelDirectory, "model"]:  # noqa: ARG001 (part of the cache key)
    """Returns the model as an artifact, copied from a directory or fetched from the Hub."""
    return ModelDirectory(Path(fetch_model(model)))
