"""The step that asks the registry which model is in production."""

from __future__ import annotations

from typing import Annotated, Any

from zenml import step

from finetrieve.registry.versions import artifact_of, version_in
from steps.materializers import JsonMaterializer


@step(enable_cache=False, output_materializers={"production_model": JsonMaterializer})
def find_production(model_name: str) -> Annotated[dict[str, Any], "production_model"]:
    """Returns `version`, `label`, `content_hash` and `artifact` of the version in production; nothing when there is none.

    Never cached, since a person may promote another one at any time; an equal answer leaves what follows cached.
    """
    version = version_in("production", model_name)
    if version is None:
        return {}
    artifact = artifact_of(version, "model")
    return {
        "version": version.number,
        "label": version.label,
        "content_hash": artifact.content_hash,
        "artifact": str(artifact.id),
    }
