"""What is recorded of a generation: how many queries of which kinds were written, what was dropped, and what asking cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finetrieve.core.record import Record, Text


class Usage(Record):
    """What one recipe, or all of them, did and spent."""

    done: int = 0
    """Queries (rules: chunks) that have their answer, or have failed for good."""
    hits: int = 0
    """Of these, answered by the cache."""
    requests: int = 0
    """Requests that reached the provider's client, retries included."""
    retries: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    failed: int = 0
    money: int | float = 0.0


class GraphCounts(Record):
    """The size of a graph of chunks."""

    nodes: int = 0
    edges: int = 0
    kinds: Mapping[Text, int] = {}
    """Of link -> edges."""
    components: int = 0
    """Parts between which there is no edge, single chunks included."""
    alone: int = 0
    """Chunks without an edge."""


class AttributeCoverage(Record):
    """How evenly the combinations of attributes are filled."""

    attributes: Mapping[Text, int] = {}
    """Attribute -> values that occur."""
    combinations: int = 0
    """That could occur, by the values that do."""
    seen: int = 0
    """Of these, such as have a row."""
    rows: int = 0
    rarest: Mapping[Text, int] = {}
    """Combination -> rows, of those that occur least."""


class TopicCoverage(Record):
    """What of a topic is asked about."""

    chunks: int = 0
    chunks_asked: int = 0
    """Of these, such as answer a query, alone or with others."""
    queries: int = 0
    """A query of several chunks counts for the topic of its own."""
    rows: int = 0
    """That are no queries for a chunk, by the chunk that they were written from."""


class DiversityReport(Record):
    """How varied the queries are, and what of the documents nobody asks about."""

    queries: int = 0
    sample: int = 0
    """Queries, spread over all, on which the costlier numbers rest."""
    repeated: int = 0
    """Queries with the same words as an earlier one."""
    distinct_words: float | None = None
    """Different words among all words of the sample, 0..1 (distinct-1)."""
    distinct_pairs: float | None = None
    """The same of two words that follow each other (distinct-2)."""
    self_similarity: float | None = None
    """Cosine of a query's words, weighted by rarity, with those of the query nearest to it in the sample: the mean, 0..1."""
    words: float | None = None
    """Words per query, the mean."""
    questions: float | None = None
    """Share that is put as a question, 0..1."""
    lengths: Sequence[float] = ()
    """As in `QueryManner`."""
    languages: Mapping[Text, float] = {}
    """Language, where a query is long enough to tell -> share of these, 0..1."""
    chunks_asked: float | None = None
    """Share of the chunks that answer a query, alone or with others, 0..1."""
    sections: int = 0
    sections_unasked: int = 0
    """Sections of which no chunk answers a query."""
    documents: int = 0
    documents_unasked: int = 0
    unasked_examples: Sequence[Text] = ()
    """The largest of these sections, with their chunks."""
    topics: Mapping[Text, TopicCoverage] = {}
    """Topic of the corpus, by its label, the largest first; where `generation.topics` asks for them."""
    coverage: Mapping[Text, AttributeCoverage] = {}
    """Recipe -> its attributes: style and persona of queries, and whatever varied the prompt of other rows."""


class GenerationReport(Record):
    """The counts and examples by which a person judges a generation; each count with the most frequent first."""

    chunks: int | None = None
    queries: int | None = None
    queries_per_chunk: float | None = None
    chunks_without_query: int | None = None
    chunks_without_query_examples: Sequence[Text] = ()
    languages_without_query: Mapping[Text, int] = {}
    """Language of the document, as an ISO 639-1 code -> chunks without a query, most frequent first."""
    chunks_shortened: int = 0
    """Chunks of which an LLM read only the beginning."""
    styles: Mapping[Text, int] = {}
    """How they ask -> queries."""
    personas: Mapping[Text, int] = {}
    recipes: Mapping[Text, int] = {}
    generators: Mapping[Text, int] = {}
    """A provider's model, or the version of the rules -> queries."""
    several_chunks: int = 0
    """Queries that need more than one chunk."""
    diversity: DiversityReport | None = None
    graphs: Mapping[Text, GraphCounts] = {}
    """Recipe -> the graph of chunks that it made."""
    written: Mapping[Text, int] = {}
    """Recipe -> rows that are no queries for a chunk, in a table of their own."""
    dropped: Mapping[Text, int] = {}
    """Filter -> queries."""
    dropped_examples: Sequence[Text] = ()
    failures: Mapping[Text, int] = {}
    """Kind -> requests that failed."""
    cost: int | float | None = None
    asked: Mapping[Text, Usage] = {}
    """Recipe -> what it asked an LLM for in the run that generated: an answer from the cache took nothing."""
    examples: Mapping[Text, Sequence[Text]] = {}
    """How they ask -> some queries."""
