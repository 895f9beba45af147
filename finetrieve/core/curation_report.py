"""What is recorded of the curation: what each filter dropped."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ConfigDict, Field, RootModel

from finetrieve.core.record import Record, Text


class DroppedQuery(Record):
    """A query that a filter dropped, and why."""

    query: Text
    reason: Text


class FilterReport(Record):
    """What one filter did."""

    n_queries: int = Field(validation_alias="in", serialization_alias="in")
    """Queries that reached it."""
    kept: int
    rate: float
    """Share that it kept, 0..1."""
    changed: int = 0
    """Queries that it did not drop but rewrote; the examples are then these."""
    examples: Sequence[DroppedQuery] = ()


class CurationReport(Record, RootModel[dict[Text, FilterReport]]):
    """Filter -> what it did, in the order in which they ran."""

    model_config = ConfigDict(extra=None)  # a root model takes no other
