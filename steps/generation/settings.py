"""What a configuration can say about generation. Light: the command line reads it before anything heavy is imported."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class RulesRecipe(BaseModel):
    """Queries written by rules from what a chunk itself says: no model, no network."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["rules"] = "rules"
    queries_per_chunk: int = Field(default=6, ge=1, le=20)
    """At most so many queries are kept per chunk; a chunk that offers fewer good ones gets fewer."""
    weight: float = Field(default=1.0, gt=0)
    """Share of this recipe among several, relative to the others' weights."""


Recipe = RulesRecipe


class GenerationSettings(BaseModel):
    """The recipes that write queries, each over every chunk."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipes: list[Recipe] = Field(default_factory=lambda: [RulesRecipe()], min_length=1)
