"""What a configuration can say about generation. Imports nothing heavy: the command line reads it first."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from finetrieve.core.paths import ConfigPath
from finetrieve.core.settings import Settings
from finetrieve.generation.budget import Budget
from finetrieve.generation.recipes.base import TOPIC, AnyRecipe
from finetrieve.generation.recipes.rules_recipe import RulesRecipe


class Topics(Settings):
    """Topics of the corpus: clusters of its chunks' vectors, labelled by their most telling terms."""

    number: int = Field(default=12, ge=2, le=200)
    """So many clusters."""
    terms: int = Field(default=3, ge=1, le=8)
    """Of a topic's label."""
    embedding_model: str = "embedded"
    """Whose vectors are clustered: `embedded`, a directory or a Hub id."""


class GenerationSettings(Settings):
    """The recipes that write queries, each over every chunk."""

    recipes: list[AnyRecipe] = Field(default=[RulesRecipe()])
    """[] writes no queries: `retrain` then trains on pairs of one's own alone."""
    answers: ConfigPath | None = None
    """Directory of the answer cache; null: `finetrieve/answers` in the user's cache directory."""
    topics: Topics | None = None
    """Find topics in the corpus, for `topic: true` of a recipe, an attribute `{topics: true}` of recipe `prompt`, and the report
    on what is asked about: their number, or settings; null: none are looked for."""
    max_failed_share: float = Field(default=0.05, ge=0, le=1)
    """More failed requests than this share fail the step rather than train on scraps."""
    budget: Budget = Budget()
    engine: Literal["local", "ray"] = "local"
    """Where queries are written: in processes of this machine, or on a Ray cluster."""
    ray_address: str | None = None
    """Of the Ray cluster for engine `ray`: `host:port`, or `auto` for the one that runs here; null: RAY_ADDRESS's, or else a new
    one on this machine."""

    @property
    def imitates_logs(self) -> bool:
        """Whether a recipe shows an LLM the queries of `query_logs`."""
        return any(recipe.imitates_logs for recipe in self.recipes)

    @field_validator("topics", mode="before", json_schema_input_type=int | Topics | None)
    @classmethod
    def _plain_number(cls, topics: Any) -> Any:
        """A bare number is that of the topics."""
        return {"number": topics} if isinstance(topics, int) and not isinstance(topics, bool) else topics

    @model_validator(mode="after")
    def _topics_there(self) -> GenerationSettings:
        for recipe in self.recipes:
            if TOPIC in recipe.corpus_facts and self.topics is None:
                raise ValueError(f"recipe '{recipe.row_label}' asks about the corpus's topics: say how many, as topics: 12.")
        return self

    @model_validator(mode="after")
    def _told_apart(self) -> GenerationSettings:
        labels = [recipe.row_label for recipe in self.recipes]
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"recipes: '{twice[0]}' is there twice; give each recipe of a kind its own label.")
        weighted = [recipe.weight is not None for recipe in self.recipes]
        if any(weighted) and not all(weighted):
            raise ValueError("recipes: give every recipe a weight, or none.")
        if self.budget.money is not None:
            for recipe in self.recipes:
                if recipe.asks_llm and getattr(recipe, "price", None) is None:
                    raise ValueError(
                        f"budget.money needs the price of recipe '{recipe.row_label}': price: {{input: ..., output: ...}}."
                    )
        return self
