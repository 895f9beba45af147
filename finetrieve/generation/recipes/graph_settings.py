"""What a configuration says of recipe `graph`. Imports nothing heavy."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from finetrieve.core.errors import unknown_name
from finetrieve.core.text import normalise_query
from finetrieve.generation.recipes.base import Weight
from finetrieve.generation.recipes.llm_recipe import LlmRecipe

KINDS: dict[str, str] = {
    "single_specific": "It asks for one particular thing that the passage says.",
    "single_abstract": "It asks about what the passage is for or what follows from it as a whole, not for a detail of it.",
    "multi_specific": (
        "Its answer takes a particular statement from every passage: somebody who has only some of them cannot answer it. "
        "It does not consist of unrelated questions."
    ),
    "multi_abstract": (
        "It asks for the connection, the difference or the consequence of what the passages say, and every one of them is needed."
    ),
}
"""Kind of question -> what the LLM is told. `multi` needs several chunks."""
MANNERS: dict[str, str] = {
    "perfect_grammar": "a complete, correct sentence",
    "misspelled": "a sentence typed in haste, with a spelling mistake or two",
    "web_search": "a web search: a few words without grammar",
    "poor_grammar": "the sentence of somebody whose grammar is poor",
}
LENGTHS: dict[str, str] = {"short": "at most 7 words", "medium": "8 to 14 words", "long": "15 to 25 words"}


class GraphSettings(LlmRecipe):
    """What a configuration says of recipe `graph`."""

    name: Literal["graph"] = "graph"
    label: str = Field(default="graph", pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    """Tells several recipes of this kind apart, in rows and reports."""
    context: str = ""
    """Tells the LLM what the documents are."""
    extraction: Literal["llm", "terms"] = "llm"
    """Who names the entities of a chunk: the LLM, by a request each, or the counts of its words."""
    kinds: dict[str, Weight] = Field(default=dict.fromkeys(KINDS, 1.0))
    """Kind of question -> how often it is drawn: `single_specific`, `single_abstract`, `multi_specific`, `multi_abstract`."""
    hops: int = Field(default=2, ge=2, le=3)
    """A question of several chunks has at most so many."""
    personas: Annotated[int, Field(ge=0, le=20)] | list[str] = 4
    """How many the LLM names after looking at groups of chunks, or who asks, in a sentence each; 0: nobody in particular."""
    manners: dict[str, Weight] = Field(default=dict.fromkeys(MANNERS, 1.0))
    """How it is typed -> how often: `perfect_grammar`, `misspelled`, `web_search`, `poor_grammar`."""
    lengths: dict[str, Weight] = Field(default=dict.fromkeys(LENGTHS, 1.0))
    """`short`, `medium`, `long` -> how often."""
    links_per_chunk: int = Field(default=6, ge=1, le=50)
    """By shared entities, and again by likeness, a chunk is linked to at most so many others."""
    embedding_model: str | None = "embedded"
    """Tells which chunks are alike: `embedded`, a directory or a Hub id; null: shared entities and sections alone link them."""

    @property
    def needs_several(self) -> bool:
        """Whether questions of several chunks are asked for."""
        return any(kind.startswith("multi") for kind in self.kinds)

    @property
    def requests_per_chunk(self) -> int:
        """Returns about how many requests a chunk has: its entities, its questions, and the checks of those of several chunks."""
        several = sum(weight for kind, weight in self.kinds.items() if kind.startswith("multi")) / sum(self.kinds.values())
        return (self.extraction == "llm") + math.ceil(self.queries_per_chunk * (1 + several * self.hops))

    @field_validator("personas")
    @classmethod
    def _different(cls, personas: int | list[str]) -> int | list[str]:
        seen: set[str] = set()
        for persona in personas if isinstance(personas, list) else []:
            if (words := normalise_query(persona)) in seen:
                raise ValueError(f"'{persona}' is there twice; leave one of them out.")
            if not any(sign.isalnum() for sign in persona):
                raise ValueError(f"{persona!r} is nobody; say in a sentence who asks, or leave it out.")
            seen.add(words)
        return personas

    @model_validator(mode="after")
    def _known_names(self) -> GraphSettings:
        for field, known in (("kinds", KINDS), ("manners", MANNERS), ("lengths", LENGTHS)):
            given: dict[str, Any] = getattr(self, field)
            if not given:
                raise ValueError(f"{field}: none is left; give at least one of: {', '.join(known)}.")
            for name in given:
                if name not in known:
                    raise unknown_name(field.removesuffix("s"), name, known)
        return self
