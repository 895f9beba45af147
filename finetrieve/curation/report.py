"""What is recorded of the curation: what each filter dropped."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, RootModel


class DroppedQuery(BaseModel):
    """A query that a filter dropped, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str
    reason: str


class FilterReport(BaseModel):
    """What one filter did."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    n_queries: int = Field(alias="in")
    """Queries that reached it."""
    kept: int
    rate: float
    """Share that it kept, 0..1."""
    examples: list[DroppedQuery]


class CurationReport(RootModel[dict[str, FilterReport]]):
    """Filter -> what it did, in the order in which they ran."""

    model_config = ConfigDict(frozen=True)
