"""What requests and answers of the JSON API consist of; the OpenAPI document is made of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from finetrieve.app.search import MOST_PASSAGES
from finetrieve.core.errors import did_you_mean


class Request(BaseModel):
    """A body; a key that it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid")


class SearchRequest(Request):
    """A question."""

    q: str
    k: int = Field(5, ge=1, le=MOST_PASSAGES, description="Passages of each side.")
    pages: bool = Field(False, description="Rank whole pages, each shown by its best passage.")


class EmbedRequest(Request):
    """Texts to turn into vectors."""

    texts: list[str] = Field(min_length=1)
    role: Literal["query", "document"] = Field("query", description="A document is `Title > Section`, a new line, and the text.")
    vectors: list[Literal["dense", "late"]] = Field(["dense"], min_length=1)
    dimensions: int | None = Field(None, ge=1, description="The first numbers of each vector, brought back to length 1.")


class FoundChunk(BaseModel):
    """A piece of a document."""

    id: str
    doc_id: str
    source: str
    title: str
    section: str
    text: str
    n_tokens: int
    position: int
    language: str


class FoundHit(BaseModel):
    """A chunk that was found."""

    rank: int
    chunk: FoundChunk
    score: float = Field(description="Only comparable within one answer.")
    cosine: float | None
    bm25: float | None
    late: float | None
    document: str


class FoundSide(BaseModel):
    """What one of the models found."""

    name: str
    method: str
    hits: list[FoundHit]


class SearchAnswer(BaseModel):
    """The trained model and its base model."""

    question: str
    note: str
    trained: FoundSide
    base: FoundSide


class EmbedAnswer(BaseModel):
    """Vectors, in the order of the texts."""

    model: str
    dense: list[list[float]] | None = Field(None, description="A unit vector for each text.")
    late: list[list[list[float]]] | None = Field(None, description="A unit vector for each token of each text.")
    weights: list[list[float]] | None = Field(
        None, description="Of a query's tokens: how rare each is in the documents. MaxSim is the mean by these."
    )


class Health(BaseModel):
    """That the server answers."""

    status: Literal["ok"] = "ok"


class ServedVersion(BaseModel):
    """What is served."""

    model: str = Field(description="The name in the registry.")
    version: str
    base: str
    answers: Literal["trained", "base"] = Field(description="Whose vectors `/embed` gives: base after a demotion.")
    passages: int
    measured: str


class ErrorAnswer(BaseModel):
    """What was wrong, in one line."""

    error: str


# What is wrong with a body.

_EXPECTED = {
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
    "missing": "missing",
    "string_type": "expected text",
    "list_type": "expected a list",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "greater_than_equal": "expected a number from {ge} on",
    "less_than_equal": "expected at most {le}",
    "too_short": "expected a list of at least {min_length}",
    "literal_error": "expected {expected}",
}
"""Kind of pydantic's error -> what we say of it; braces name what it expected."""


def mistake_in_body(details: Mapping[str, Any], kind: type[Request]) -> str:
    """Returns one line for pydantic's error about a body: the key, and what was expected, without what was sent."""
    keys, place = list(kind.model_fields), ".".join(str(part) for part in details["loc"][1:])[:100]
    if details["type"] == "json_invalid":
        return f"The body is not JSON: {details['ctx']['error']}, at character {details['loc'][-1]}."
    if not place:
        return f"Expected a JSON object as the body (Content-Type: application/json) with the keys {', '.join(keys)}."
    if details["type"] == "extra_forbidden":
        return f"{place}: unknown key.{did_you_mean(place, keys)} Known keys: {', '.join(keys)}."
    said = _EXPECTED.get(details["type"], str(details["msg"])[:200]).format_map(details.get("ctx", {}))
    return f"{place}: {said}."
