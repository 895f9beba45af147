"""The base class of recipes that ask an LLM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from finetrieve.core.errors import InputError
from finetrieve.generation.llm.llm_settings import LlmSettings
from finetrieve.generation.recipes.base import TOPIC, Recipe


def no_logged_queries(label: str, key: str) -> InputError:
    """Returns the error for a recipe that imitates queries which nobody gave."""
    return InputError(
        f"Recipe '{label}': {key} is query_logs, and there are no query_logs. Give a file with what people typed: --queries FILE."
    )


class LlmRecipe(LlmSettings, Recipe):
    """A recipe that asks an LLM of any provider; a subclass says what it asks."""

    asks_llm: ClassVar[bool] = True

    topic: bool = False
    """Name the chunk's topic, of those that `generation.topics` finds, in the prompts that ask for something to be written."""

    @property
    def corpus_facts(self) -> frozenset[str]:
        """Returns what its prompts take from the corpus."""
        return frozenset({TOPIC} if self.topic else ())

    def key_variables(self, key_envs: Mapping[str, str]) -> Iterator[str]:
        """Yields the variable that holds the key."""
        if (variable := self.key_variable(key_envs.get(self.label))) is not None:
            yield variable

    def check(self, engine: str) -> None:
        """Checks the provider and the model."""
        self.check_requirements()
        if self.batch is not None and engine != "local":
            raise InputError(f"Recipe '{self.label}': batch needs generation.engine: local; what is handed over is noted there.")
        if engine == "local":  # the nodes of a cluster may have what this machine has not
            self.provider_class.check_model(self.model)

    def plugins(self) -> list[type]:
        """Returns the recipe's and the provider's class."""
        return [type(self), self.provider_class]
