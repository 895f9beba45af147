"""What is kept of single queries: those that changed most with what both models found, and how near queries stand to chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from finetrieve.core.record import Record, Text
from finetrieve.evaluation.metrics import HEADLINE


class QuotedChunk(Record):
    """A chunk as a person reads it."""

    chunk_id: Text = ""
    doc_id: Text = ""
    title: Text = ""
    section: Text = ""
    text: Text = ""


class FoundChunk(QuotedChunk):
    """A chunk that a model found."""

    score: float
    """Cosine, -1..1."""
    relevant: bool


class ModelAnswer(Record):
    """What a model found for a query."""

    ndcg: float = Field(validation_alias=HEADLINE, serialization_alias=HEADLINE)
    found: Sequence[FoundChunk]
    """The best first."""


class ChangedQuery(Record):
    """A query with what both models found."""

    query_id: Text = ""
    query: Text
    relevant: Sequence[Text] = ()
    """Ids of the units that answer it."""
    expected: Sequence[QuotedChunk] = ()
    """The first chunk of some of them."""
    delta: float
    """nDCG@10 of the fine-tuned model less that of the base model."""
    base: ModelAnswer
    finetuned: ModelAnswer


class ChangedQueries(Record):
    """The queries of a set whose nDCG@10 changed most, those that changed most first."""

    better: Sequence[ChangedQuery] = ()
    worse: Sequence[ChangedQuery] = ()


class Similarities(Record):
    """Cosines of queries, row by row."""

    relevant: list[float]
    """With their best relevant unit."""
    hardest: list[float]
    """With their best other unit."""


class EvaluationDetails(Record):
    """What the report shows of single queries."""

    examples: Mapping[Text, ChangedQueries] = {}
    """Evaluation set -> queries; none where there are not both models."""
    similarities: Mapping[Text, Mapping[Text, Similarities]] = {}
    """Evaluation set -> model -> cosines."""
