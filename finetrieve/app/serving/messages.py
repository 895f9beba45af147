"""What requests and answers of the JSON API consist of; the OpenAPI document is made of these."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from finetrieve.app.search import MOST_PASSAGES


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
