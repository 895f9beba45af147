"""Where answers are kept, and what decides the queries beside settings and chunks, such as templates and failed runs."""

from __future__ import annotations

import hashlib
from pathlib import Path

from finetrieve.core.code_hash import plugin_hash
from finetrieve.core.paths import user_cache
from finetrieve.generation.llm.response_cache import failed_runs, scope_of
from finetrieve.generation.settings import GenerationSettings
from finetrieve.retrieval.base_model import model_fingerprint


def response_cache_directory(settings: GenerationSettings) -> Path:
    """Returns where the cache is: as configured, or `finetrieve/answers` in the user's cache directory."""
    if settings.answers is not None:
        return Path(settings.answers).expanduser()
    return user_cache() / "finetrieve" / "answers"


def failure_scope(settings: GenerationSettings) -> str:
    """Returns the name under which the runs of these recipes that ended with failed requests are counted."""
    return scope_of(settings.recipes)


def failed_generations(settings: GenerationSettings) -> int:
    """Returns how many runs of these recipes ended with failed requests, without making a cache.

    Raises:
        InputError: The cache cannot be used.
    """
    if not any(recipe.asks_llm for recipe in settings.recipes):
        return 0
    return failed_runs(response_cache_directory(settings), failure_scope(settings))


def generation_state(settings: GenerationSettings) -> str:
    """Returns what decides the queries beside settings and chunks: templates, code of plug-ins, the models that find topics or
    tell which chunks are alike, and runs that left something out.

    A template that cannot be read counts as empty: who needs it says so.

    Raises:
        InputError: The cache cannot be used.
    """
    texts = [path.read_bytes() if path.is_file() else b"" for recipe in settings.recipes for path in recipe.files()]
    digest = hashlib.sha256(b"\0".join(texts)).hexdigest()[:12] if texts else "none"
    found_by = f", topics by {model_fingerprint(settings.topics.embedding_model)[:12]}" if settings.topics is not None else ""
    models = sorted({model for recipe in settings.recipes for model in recipe.models()})
    alike = "".join(f", likeness by {model_fingerprint(model)[:12]}" for model in models)
    plugins = plugin_hash(plugin for recipe in settings.recipes for plugin in recipe.plugins())
    return (
        f"failed {failed_generations(settings)}, templates {digest}{found_by}{alike}{f', plug-ins {plugins}' if plugins else ''}"
    )
