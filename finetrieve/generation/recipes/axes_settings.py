"""What a configuration says of recipe `axes`. Imports nothing heavy."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from finetrieve.core.errors import unknown_name
from finetrieve.generation.recipes.base import Weight
from finetrieve.generation.recipes.llm_recipe import LlmRecipe

QUERY_TYPES: dict[str, str] = {
    "factual": "It asks for a fact: a value, a name, a condition.",
    "procedural": "It asks how something is done.",
    "comparative": "It asks how two things or cases differ, or which of them fits.",
}
REASONING_TYPES: dict[str, str] = {
    "stated": "The passages state the answer.",
    "inferred": "The answer follows from what the passages state, but none of their sentences says it.",
    "causal": "The answer is why something is so, or what follows from it.",
}
MOST_PER_DOCUMENT = 200
Count = Annotated[int, Field(ge=0, le=50)]
Hops = Literal["1", "2", "3"]
"""Texts, as JSON and distilabel have keys; YAML gives numbers."""


class AxesSettings(LlmRecipe):
    """What a configuration says of recipe `axes`."""

    name: Literal["axes"] = "axes"
    label: str = Field(default="axes", pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    """Tells several recipes of this kind apart, in rows and reports."""
    queries_per_chunk: int = Field(default=20, ge=1, le=20)
    """At most so many queries are kept per chunk."""
    context: str = ""
    """Tells the LLM what the documents are."""
    query_types: dict[str, str] = Field(default=QUERY_TYPES, min_length=1)
    """Name -> what it tells the LLM."""
    reasoning_types: dict[str, str] = Field(default=REASONING_TYPES, min_length=1)
    """Likewise, independent of the query types."""
    counts: dict[str, dict[str, Count]] = Field(default={})
    """Query type -> reasoning type -> questions per document; what is not named is asked for once."""
    hops: dict[Hops, Weight] = Field(default={"1": 2.0, "2": 2.0, "3": 1.0}, min_length=1)
    """Passages that a question needs -> how often; a document with fewer passages has questions of fewer."""
    passages: int = Field(default=12, ge=1, le=50)
    """So many passages of a document are shown at once; a longer document is shown part by part."""
    threshold: float = Field(default=7.0, ge=0, le=10)
    """A question that the judge scores lower is dropped."""
    replacements: int = Field(default=1, ge=0, le=5)
    """How often a question is asked for anew in place of one that the judge dropped."""

    @property
    def cells(self) -> list[tuple[str, str]]:
        """Returns the query type and reasoning type of each question of a document."""
        return [
            (query, reasoning)
            for query in self.query_types
            for reasoning in self.reasoning_types
            for _ in range(self.counts.get(query, {}).get(reasoning, 1))
        ]

    @property
    def requests_per_chunk(self) -> int:
        """Returns about how many requests a chunk has, if a document has five: the questions and their judgements."""
        return max(1, math.ceil(2 * len(self.cells) / 5))

    @field_validator("hops", mode="before")
    @classmethod
    def _keys_as_texts(cls, hops: Any) -> Any:
        return {str(key): weight for key, weight in hops.items()} if isinstance(hops, dict) else hops

    @model_validator(mode="after")
    def _usable(self) -> AxesSettings:
        for query, row in self.counts.items():
            if query not in self.query_types:
                raise unknown_name("query type", query, self.query_types)
            for reasoning in row:
                if reasoning not in self.reasoning_types:
                    raise unknown_name("reasoning type", reasoning, self.reasoning_types)
        if not self.cells:
            raise ValueError("counts: all are 0, so nothing would be asked; give at least one of them a number.")
        if len(self.cells) > MOST_PER_DOCUMENT:
            raise ValueError(f"counts: {len(self.cells)} questions per document; at most {MOST_PER_DOCUMENT} may be.")
        return self
