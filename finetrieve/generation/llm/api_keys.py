"""API keys that ZenML secrets hold, as environment variables for as long as an LLM is asked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from finetrieve.core.zenml_secrets import secret_value


class KeyHolder(Protocol):
    """What may need a key: a recipe, or any other settings of an LLM."""

    @property
    def row_label(self) -> str:
        """Returns its name."""

    @property
    def key_secret(self) -> str | None:
        """Returns the ZenML secret that holds the key, as `secret.key`."""


@contextmanager
def keys_in_environment(holders: Iterable[KeyHolder]) -> Iterator[dict[str, str]]:
    """Puts the keys that ZenML secrets hold into variables that live as long as the block; yields label -> variable.

    Raises:
        InputError: A secret or its key is not there.
    """
    variables: dict[str, str] = {}
    try:
        for holder in holders:
            if holder.key_secret is not None:
                variable = f"FINETRIEVE_KEY_{holder.row_label.upper().replace('-', '_')}"
                os.environ[variable] = secret_value(holder.key_secret)
                variables[holder.row_label] = variable
        yield variables
    finally:
        for variable in variables.values():
            os.environ.pop(variable, None)
