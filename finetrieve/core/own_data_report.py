"""What is recorded of pairs of one's own: what was read, how it was matched to chunks, and what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finetrieve.core.generation_report import Usage
from finetrieve.core.record import Record, Text


class UnmatchedPair(Record):
    """What no chunk says, for people."""

    query: Text
    reason: Text


class PairSetReport(Record):
    """One set of pairs."""

    queries: int = 0
    pairs: int = 0
    """Queries with what answers them, as they were read."""
    negatives: int = 0
    matched: Mapping[Text, int] = {}
    """How the answers were found: `exact`, `document`, `text`, `free text`."""
    unmatched: int = 0
    """Answers that no chunk says."""
    personal_data: Mapping[Text, int] = {}
    """What was left out for what it held: `e-mail address`, `key`, `number`."""
    examples: Sequence[UnmatchedPair] = ()


class QueryManner(Record):
    """How some queries ask."""

    queries: int = 0
    words: float = 0.0
    """The mean."""
    questions: float = 0.0
    """Share that begins with a question word or ends with a question mark, 0..1."""
    keywords: float = 0.0
    """Share of at most four words that is no question, 0..1."""
    shared_words: float = 0.0
    """Share of a query's words that the chunk which answers it has too, the mean, 0..1."""
    lengths: Sequence[float] = ()
    """Share of the queries with 1, 2, ... words, 0..1; the last is of those with as many or more."""


class QueryDifferences(Record):
    """How generated queries differ from those that people typed."""

    real: QueryManner = QueryManner()
    generated: QueryManner = QueryManner()
    nearest_generated: float | None = None
    """Cosine of a real query with the generated one nearest to it, the mean, -1..1."""
    nearest_real: float | None = None
    """The same of a real query and another real one: what is usual among them."""


class GradesReport(Record):
    """What an LLM's grades of the first chunks say of a set of queries."""

    model: Text = ""
    depth: int = 0
    """Chunks that are graded per query."""
    graded: int = 0
    """Queries."""
    fallbacks: Mapping[Text, int] = {}
    """Why there are no grades -> queries, which have the labels of the fused search: `personal data`, `not asked`, or how the
    request failed."""
    unanswered: int = 0
    """Graded queries of which no chunk has 2 or more: nothing in the documents answers them."""
    unanswered_examples: Sequence[Text] = ()
    """Those that were asked most often."""
    asked: Usage = Usage()
    """In the run that graded: an answer from the cache took nothing."""


class QuerySetReport(Record):
    """One set of queries without labels."""

    rows: int = 0
    queries: int = 0
    """Different ones that are used."""
    asked: int = 0
    """How often, together."""
    rare: int = 0
    """Left out for being asked too rarely."""
    personal_data: Mapping[Text, int] = {}
    clicked: int = 0
    """Queries with a click on a document that is there."""
    unmatched_clicks: int = 0
    sure: int = 0
    """Queries whose first chunk is a training pair."""
    grades: GradesReport | None = None
    """Where an LLM graded."""


class QueriesReport(Record):
    """All sets."""

    sets: Mapping[Text, QuerySetReport] = {}
    teacher: Text = ""
    """What labelled them."""
    differences: QueryDifferences = QueryDifferences()


class PairsReport(Record):
    """All sets."""

    sets: Mapping[Text, PairSetReport] = {}
