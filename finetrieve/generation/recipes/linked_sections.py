"""Recipe `linked_sections`: questions that two sections answer only together, written by rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from finetrieve.generation.recipes.base import Recipe, RunResources

if TYPE_CHECKING:
    from distilabel.steps import Step


class LinkedSectionsRecipe(Recipe):
    """Comparisons and questions of two steps, from chunks that belong together: no model, no network.

    The graph is that of recipe `graph`, with terms in place of an LLM's entities, sections that stand side by side and links
    between pages. A question is kept where neither chunk alone has the words of both of its parts.
    """

    description: ClassVar[str] = "questions that need two linked sections: comparisons, and one step after another; no LLM"

    name: Literal["linked_sections"] = "linked_sections"
    languages: ClassVar[frozenset[str] | None] = frozenset({"en"})
    queries_per_chunk: int = Field(default=1, ge=1, le=20)
    """At most so many questions begin at a chunk."""
    links_per_chunk: int = Field(default=6, ge=1, le=50)
    """By shared terms, a chunk is linked to at most so many others."""
    terms_per_chunk: int = Field(default=12, ge=2, le=50)
    """At most so many terms of a chunk are looked at."""

    @property
    def generator(self) -> str:
        """Returns the version of the rules."""
        from finetrieve.generation.recipes.rules import VERSION

        return f"rules {VERSION}"

    def step(self, seed: int, resources: RunResources) -> Step:
        """Returns the distilabel step."""
        from finetrieve.generation.recipes.linked_sections_step import LinkedSectionsStep

        return LinkedSectionsStep(
            name=self.row_label,
            recipe=self,
            seed=seed,
            run_resources=resources,
            terms_per_chunk=self.terms_per_chunk,
            links_per_chunk=self.links_per_chunk,
        )
