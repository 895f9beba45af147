"""Recipe `rules`: queries written by rules from what a chunk itself says."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from finetrieve.generation.recipes.base import Recipe, RunResources

if TYPE_CHECKING:
    from distilabel.steps import Step


class RulesRecipe(Recipe):
    """Queries written by rules from what a chunk itself says: no model, no network."""

    description: ClassVar[str] = "queries written by rules from titles, sentences, labels and docstrings; no LLM"

    name: Literal["rules"] = "rules"
    languages: ClassVar[frozenset[str] | None] = frozenset({"en"})
    queries_per_chunk: int = Field(default=6, ge=1, le=20)
    """At most so many queries are kept per chunk; a chunk that offers fewer good ones gets fewer."""

    @property
    def generator(self) -> str:
        """Returns the version of the rules."""
        from finetrieve.generation.recipes.rules import VERSION

        return f"rules {VERSION}"

    def step(self, seed: int, resources: RunResources) -> Step:
        """Returns the distilabel step."""
        from finetrieve.generation.recipes.rules_step import RulesStep

        return RulesStep(name=self.row_label, recipe=self, seed=seed, run_resources=resources)
