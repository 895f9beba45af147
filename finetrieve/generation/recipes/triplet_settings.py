"""What a configuration says of recipe `triplet`. Imports nothing heavy."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from finetrieve.core.errors import unknown_name
from finetrieve.core.paths import ConfigPath
from finetrieve.core.settings import Settings
from finetrieve.generation.query_styles import PERSONAS, STYLES
from finetrieve.generation.recipes.base import Weight
from finetrieve.generation.recipes.llm_recipe import LlmRecipe
from finetrieve.generation.recipes.stages import Judge


class StyleChoice(Settings):
    """A style or a persona: how often it is drawn, and what it tells the LLM when it is none of those that exist."""

    weight: Weight = 1.0
    """How often it is drawn, against the others' weights."""
    says: str = ""
    """The sentence that the prompt gets for a style or a persona of your own."""


class TripletSettings(LlmRecipe):
    """What a configuration says of recipe `triplet`."""

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

    @field_validator("styles", "personas", mode="before", json_schema_input_type=dict[str, Weight | StyleChoice])
    @classmethod
    def _plain_weights(cls, choices: Any) -> Any:
        """A bare number is a weight."""
        if not isinstance(choices, dict):
            return choices
        return {name: {"weight": choice} if isinstance(choice, int | float) else choice for name, choice in choices.items()}

    @model_validator(mode="after")
    def _usable(self) -> TripletSettings:
        if not self.styles:
            raise ValueError("styles: empty; name at least one, or leave the key out for all of them.")
        for kind, chosen, known in (("style", self.styles, STYLES), ("persona", self.personas, PERSONAS)):
            for name, value in chosen.items():
                if not value.says and name not in known:
                    raise ValueError(f"{unknown_name(kind, name, known)} One of your own: {name}: {{weight: 1, says: ...}}.")
        if self.hard_negative and not self.negative:
            raise ValueError("hard_negative: true needs negative: true.")
        return self
