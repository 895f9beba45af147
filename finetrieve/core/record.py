"""Typed records: what a stage reports, stored as JSON, and read again from any version of this program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError


def _encodable(value: object) -> object:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_encodable)]
"""Half a surrogate pair, which a file name may hold, becomes a question mark."""


class Record(BaseModel):
    """A report of a stage; keys that it does not know are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    def as_json(self) -> dict[str, Any]:
        """Returns plain values under the keys of the JSON, without what was never set."""
        return self.model_dump(exclude_unset=True)

    @classmethod
    def read(cls, found: Mapping[str, Any] | Self) -> Self:
        """Returns a record that any version of this program wrote: what this one cannot read of it is left out."""
        if isinstance(found, cls):
            return found
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            return cls.read(_without(found, [problem["loc"] for problem in error.errors()]))


def _without(found: Any, places: Sequence[tuple[int | str, ...]]) -> Any:
    """Returns the nested value without the innermost entries, of mappings and lists, that the places name."""
    if not isinstance(found, Mapping | list):
        return found
    entries = list(found.items() if isinstance(found, Mapping) else enumerate(found))
    inner = {key: [place[1:] for place in places if place[0] == key] for key, _ in entries}
    kept = {
        key: _without(value, inner[key]) for key, value in entries if not any(_names_this(value, place) for place in inner[key])
    }
    return kept if isinstance(found, Mapping) else list(kept.values())


def _names_this(value: Any, rest: tuple[int | str, ...]) -> bool:
    """Returns whether a place names the entry itself: nothing follows, or a key that the entry does not have."""
    return not rest or not isinstance(value, Mapping | list) or (isinstance(value, Mapping) and rest[0] not in value)


class Interval(Record):
    """A mean over queries with its 95% bootstrap interval, each 0..1."""

    value: float
    low: float
    high: float
