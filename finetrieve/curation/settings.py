"""The filters that a configuration can name, with their limits.

A filter is added here: a settings class with its name, its description and the function that does the work, and its
place in `FilterSettings`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class LengthFilter(BaseModel):
    """Drops queries that say too little to be answered, or that nobody would type."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    description: ClassVar[str] = "too short or too long to be a person's query"
    function: ClassVar[str] = "finetrieve.curation.filters:by_length"

    name: Literal["length"] = "length"
    min_words: int = Field(default=2, ge=1)
    max_words: int = Field(default=32, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> LengthFilter:
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is more than max_words {self.max_words}.")
        return self


class DuplicateFilter(BaseModel):
    """Drops repeated queries of a chunk, and queries that so many chunks answer that they single out none."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    description: ClassVar[str] = "exact and near duplicates, and queries that many chunks share"
    function: ClassVar[str] = "finetrieve.curation.filters:by_duplicates"

    name: Literal["duplicates"] = "duplicates"
    threshold: float = Field(default=0.93, gt=0, le=1)
    """Similarity (0..1, edits between the sorted words) from which two queries of one chunk are the same query."""
    max_chunks: int = Field(default=3, ge=1)
    """A query that more chunks share is dropped; one that fewer share keeps all of them as answers."""


class CopyFilter(BaseModel):
    """Drops queries that repeat their chunk word for word. Short queries that name a thing share its words rightly and stay."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    description: ClassVar[str] = "cut out of the chunk word for word"
    function: ClassVar[str] = "finetrieve.curation.filters:by_copies"

    name: Literal["copies"] = "copies"
    min_words: int = Field(default=8, ge=2)
    """Runs of fewer words are never called a copy."""
    max_share: float = Field(default=0.75, gt=0, le=1)
    """A query is a copy when one unbroken run of the chunk's words makes up more than this share of it."""


class NameFilter(BaseModel):
    """Drops queries that spell the identifier in their chunk's title: that word finds it, and nothing else is learnt."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    description: ClassVar[str] = "spells the identifier that is the chunk's title, such as log_loss or KMeans"
    function: ClassVar[str] = "finetrieve.curation.filters:by_names"

    name: Literal["names"] = "names"


class RoundTripFilter(BaseModel):
    """Drops queries that do not find their own chunk again: neither its words nor its meaning lead there."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    description: ClassVar[str] = "own chunk not within the top k of BM25 and the base model together"
    function: ClassVar[str] = "finetrieve.curation.filters:by_round_trip"

    name: Literal["round_trip"] = "round_trip"
    top_k: int = Field(default=20, ge=1)


FilterSettings = Annotated[
    LengthFilter | DuplicateFilter | CopyFilter | NameFilter | RoundTripFilter, Field(discriminator="name")
]
