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
