"""The step that writes queries for the chunks with distilabel."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from zenml import step
from zenml.client import Client

from finetrieve.core.errors import InputError
from finetrieve.core.progress import reporter, say
from finetrieve.generation.generate import generate
from finetrieve.generation.settings import GenerationSettings, TripletRecipe
from steps.caching import cache_policy
from steps.materializers import JsonMaterializer, TableMaterializer


@step(
    cache_policy=cache_policy(__file__),
    output_materializers={
        "generated_queries": TableMaterializer,
        "unreadable_queries": TableMaterializer,
        "generation_report": JsonMaterializer,
    },
)
def generate_queries(
    chunks: pa.Table,
    settings: dict[str, Any],
    seed: int,
    generation_state: str = "",  # noqa: ARG001  # after a run with failed requests it differs, and so does the cache key
) -> tuple[
    Annotated[pa.Table, "generated_queries"],
    Annotated[pa.Table, "unreadable_queries"],
    Annotated[dict[str, Any], "generation_report"],
]:
    """Returns the queries with their chunks, what was dropped because it read badly, and the counts."""
    recipes = GenerationSettings.model_validate(settings)
    with tempfile.TemporaryDirectory(prefix="finetrieve-distilabel-") as cache_dir, _keys_in_environment(recipes) as key_envs:
        result = generate(chunks, recipes, seed, Path(cache_dir), reporter("Queries asked for"), key_envs=key_envs)
    say(f"{result.triplets.num_rows:,} queries for {chunks.num_rows:,} chunks")
    if failures := result.report["failures"]:
        why = ", ".join(f"{kind} {number:,}" for kind, number in failures.items())
        say(f"{sum(failures.values()):,} requests failed ({why}); running again asks only for those")
    return result.triplets, result.rejects, result.report


@contextmanager
def _keys_in_environment(settings: GenerationSettings) -> Iterator[dict[str, str]]:
    """Puts the keys that ZenML secrets hold into variables that live as long as the block; yields recipe label -> variable.

    Raises:
        InputError: A secret or its key is not there.
    """
    variables: dict[str, str] = {}
    try:
        for recipe in settings.recipes:
            if isinstance(recipe, TripletRecipe) and recipe.api_key_secret is not None:
                variable = f"FINETRIEVE_KEY_{recipe.label.upper().replace('-', '_')}"
                os.environ[variable] = secret_value(recipe.api_key_secret)
                variables[recipe.label] = variable
        yield variables
    finally:
        for variable in variables.values():
            os.environ.pop(variable, None)


def secret_value(name: str) -> str:
    """Returns the value of a ZenML secret, named as `secret.key`.

    Raises:
        InputError: It is not there.
    """
    secret, _, key = name.partition(".")
    try:
        values = Client().get_secret(secret).secret_values
    except (KeyError, NotImplementedError) as error:
        raise InputError(
            f"There is no ZenML secret '{secret}' ({type(error).__name__}): "
            f"create it with `zenml secret create {secret} --{key}=...`."
        ) from None
    if key not in values:
        raise InputError(f"The ZenML secret '{secret}' has no key '{key}'; it has: {', '.join(sorted(values)) or 'none'}.")
    return values[key]
