"""Recipe `triplet`: queries that an LLM writes, with a negative each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from finetrieve.core.errors import unknown_name
from finetrieve.core.paths import ConfigPath
from finetrieve.generation.query_styles import PERSONAS, STYLES
from finetrieve.generation.recipes.base import Estimate, RunResources, Weight
from finetrieve.generation.recipes.llm_recipe import LlmRecipe, no_logged_queries
from finetrieve.generation.recipes.stages import Judge

if TYPE_CHECKING:
    from distilabel.steps import Step

    from finetrieve.generation.chunk_context import ChunkContext


class StyleChoice(BaseModel):
    """A style or a persona: how often it is drawn, and what it tells the LLM when it is none of those that exist."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: Weight = 1.0
    """How often it is drawn, against the others' weights."""
    says: str = ""
    """The sentence that the prompt gets for a style or a persona of your own."""


class TripletRecipe(LlmRecipe):
    """Queries that an LLM writes, with a negative each: distilabel's GenerateSentencePair, action `query`."""

    description: ClassVar[str] = (
        "queries with negatives written by an LLM: distilabel's GenerateSentencePair in drawn styles and personas"
    )

    imitating_key: ClassVar[str] = "examples"

    name: Literal["triplet"] = "triplet"
    label: str = Field(default="triplet", pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    """Tells several recipes of this kind apart, in rows and reports."""
    negative: bool = True
    """Also ask for a query that the chunk does not answer."""
    hard_negative: bool = False
    """That query looks like one the chunk answers."""
    context: str = ""
    """Tells the LLM what the documents are."""
    styles: dict[str, StyleChoice] = Field(default={name: StyleChoice() for name in STYLES})
    """Name -> its weight, or for one of your own `{weight: ..., says: ...}`."""
    personas: dict[str, StyleChoice] = Field(default={})
    """Likewise; empty: nobody in particular asks."""
    examples: list[str] | Literal["query_logs"] = Field(default=[])
    """Queries that people typed, whose manner each query has; `query_logs`: those of `query_logs`, or of --queries."""
    shown: int = Field(default=5, ge=1, le=50)
    """Of the examples, drawn for each request."""
    judge: Judge | None = None
    """The LLM judges each query, and mends it once: `judge: {at_least: 7, rewrite: true}`; null: it does not."""
    template: ConfigPath | None = None
    """A Jinja file that writes the user message itself."""

    @property
    def requests_per_chunk(self) -> int:
        """Returns how many requests a chunk has, when all answers can be used."""
        return self.queries_per_chunk * (1 + (len(self.judge.stages("query")) if self.judge is not None else 0))

    def check(self, engine: str) -> None:
        """Checks the provider, the model, the examples and the template."""
        super().check(engine)
        if isinstance(self.examples, str):
            raise no_logged_queries(self.label, "examples")
        if self.template is not None:
            from finetrieve.generation.prompts import UserTemplate

            UserTemplate(Path(self.template))

    def files(self) -> list[Path]:
        """Returns the template."""
        return [Path(self.template)] if self.template else []

    def estimate(self, chunks: list[ChunkContext], seed: int, responses: Path) -> Estimate:
        """Returns the requests that the cache does not answer, their tokens and cost, and sample prompts."""
        from finetrieve.generation.recipes.triplet_prompts import estimate_triplets

        return estimate_triplets(self, chunks, seed, responses)

    def step(self, seed: int, resources: RunResources) -> Step:
        """Returns the distilabel step."""
        from finetrieve.generation.recipes.triplet_step import build_step

        return build_step(self, seed, resources)

    @field_validator("styles", "personas", mode="before", json_schema_input_type=dict[str, Weight | StyleChoice])
    @classmethod
    def _plain_weights(cls, choices: Any) -> Any:
        """A bare number is a weight."""
        if not isinstance(choices, dict):
            return choices
        return {name: {"weight": choice} if isinstance(choice, int | float) else choice for name, choice in choices.items()}

    @model_validator(mode="after")
    def _usable(self) -> TripletRecipe:
        if not self.styles:
            raise ValueError("styles: empty; name at least one, or leave the key out for all of them.")
        for kind, chosen, known in (("style", self.styles, STYLES), ("persona", self.personas, PERSONAS)):
            for name, value in chosen.items():
                if not value.says and name not in known:
                    raise ValueError(f"{unknown_name(kind, name, known)} One of your own: {name}: {{weight: 1, says: ...}}.")
        if self.hard_negative and not self.negative:
            raise ValueError("hard_negative: true needs negative: true.")
        return self
