"""The model in production, for whoever builds on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from finetrieve.core.errors import InputError
from finetrieve.core.logging import get_logger

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from finetrieve.registry.versions import Version

logger = get_logger(__name__)


def production_model(name: str | None = None) -> SentenceTransformer:
    """Returns the model in production, ready to encode: `from finetrieve import production_model`.

    Where a person demoted it and none followed, this is its base model, with a warning.

    Args:
        name: Which model; may be left out where there is only one.

    Raises:
        InputError: No such model, or none was in production.
    """
    from finetrieve.retrieval.encoder import load_encoder

    return load_encoder(_find(name))


def production_directory(name: str | None = None) -> Path:
    """Returns the directory of the model in production; that of its base model, with a warning, where a person demoted it.

    Raises:
        InputError: No such model, none was in production, or the base model cannot be fetched.
    """
    found = _find(name)
    if isinstance(found, Path):
        return found
    from finetrieve.retrieval.base_model import fetch_model

    return fetch_model(found)


def _find(name: str | None) -> Path | str:
    """Returns the directory of the model in production, or the directory or the Hub id of the base model after a demotion."""
    from finetrieve.retrieval.base_model import resolve_base_model

    version, base = served_version(name)
    if base is not None:
        return resolve_base_model(base)
    from finetrieve.registry.versions import load_model

    return load_model(version).path


def served_version(name: str | None) -> tuple[Version, str | None]:
    """Returns the version in production; or, with a warning, the one that a person demoted, and the base model in its place.

    Raises:
        InputError: No such model, or none was in production.
    """
    from finetrieve.app.zenml_environment import quiet_zenml
    from finetrieve.app.zenml_store import ready_store

    quiet_zenml()
    ready_store()
    from finetrieve.registry.versions import known_model, taken_out, version_in

    model = known_model(name)
    version, out = version_in("production", model), taken_out(model)
    if version:
        return version, None
    if out is None:
        raise InputError(f"No version of '{model}' is in production yet. `python run.py models list --model {model}` says why.")
    base = str(out.record.get("base_model", "embedded"))
    logger.warning(
        "No version of '%s' is in production: a person took %s out, so this is its base model, %s.", model, out.label, base
    )
    return out, base
