"""The model in production, for whoever builds on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def production_model(name: str | None = None) -> SentenceTransformer:
    """Returns the model in production, ready to encode: `from finetrieve import production_model`.

    Args:
        name: Which model; may be left out where there is only one.

    Raises:
        InputError: No such model, or none is in production.
    """
    from finetrieve.retrieval.encoder import load_encoder

    return load_encoder(production_directory(name))


def production_directory(name: str | None = None) -> Path:
    """Returns the directory of the model in production.

    Raises:
        InputError: No such model, or none is in production.
    """
    from finetrieve.app.zenml_environment import quiet_zenml

    quiet_zenml()
    from finetrieve.registry.versions import find_version, known_model, load_model

    return load_model(find_version(f"{known_model(name)}:production")).path
