"""API keys that ZenML secrets hold, as environment variables for as long as queries are generated."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from finetrieve.core.zenml_secrets import secret_value
from finetrieve.generation.settings import GenerationSettings


@contextmanager
def keys_in_environment(settings: GenerationSettings) -> Iterator[dict[str, str]]:
    """Puts the keys that ZenML secrets hold into variables that live as long as the block; yields recipe label -> variable.

    Raises:
        InputError: A secret or its key is not there.
    """
    variables: dict[str, str] = {}
    try:
        for recipe in settings.recipes:
            if recipe.key_secret is not None:
                variable = f"FINETRIEVE_KEY_{recipe.row_label.upper().replace('-', '_')}"
                os.environ[variable] = secret_value(recipe.key_secret)
                variables[recipe.row_label] = variable
        yield variables
    finally:
        for variable in variables.values():
            os.environ.pop(variable, None)
