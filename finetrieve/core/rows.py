"""The row types that cross a step, and the only place where their column names are written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """A document as a source delivers it: cleaned, and as Markdown whatever its format was."""

    id: str
    """Stable name inside its source: a relative path, a BEIR `_id`, a dotted object name."""
    title: str
    text: str
    """Markdown; code is fenced, headings are ATX (`## Heading`)."""
    source: str
    """Where a person finds it: a relative path, a URL or an import path."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """An input that became no document, with the reason in words."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """Which chunk it is, and of which document."""

    id: str
    """Content hash of the document id and the text."""
    doc_id: str


@dataclass(frozen=True, slots=True)
class Chunk(ChunkPlace):
    """A piece of a document: what is embedded, retrieved and asked about."""

    source: str
    title: str
    """The document's title."""
    section: str
    """Heading path inside the document, joined by ` > `; empty before the first heading."""
    text: str
    n_tokens: int
    """Tokens of the embedded text (title, section and text) under the model's tokenizer."""
    position: int
    """0-based place in the document."""
    language: str = ""
    """Of the document, as an ISO 639-1 code; empty where nobody looked, `und` where it was not recognised."""


@dataclass(frozen=True, slots=True)
class GeneratedQuery:
    """A generated query with the chunk that answers it."""

    id: str
    """Content hash of chunk id, recipe and query."""
    chunk_id: str
    query: str
    negative_query: str | None
    style: str
    """How it asks: `how_to`, `what_is`, `yes_no`, `keywords`, ..."""
    recipe: str
    generator: str
    """What wrote it: a provider's model, or the version of the rules."""
    persona: str = ""
    """Who asks, as the LLM was told; empty where nobody was."""
    chunk_shortened: bool = False
    """The LLM read only the beginning of the chunk, which did not fit its window."""
    round_trip_rank: int | None = None
    """Rank of its own chunk (1 is first) when it was searched for; None until, or unless, the round trip ran."""
    judge_score: float | None = None
    """The lowest of the scores that an LLM gave it as a judge, 0..10; None where none was asked."""
    further_chunk_ids: str = ""
    """The other chunks without which it has no answer, joined by spaces; empty where its own chunk answers it alone."""

    @property
    def chunk_ids(self) -> tuple[str, ...]:
        """Every chunk that it needs, its own first."""
        return (self.chunk_id, *self.further_chunk_ids.split())


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """What an LLM wrote that is no query for a chunk of the documents: a labelled text, a preference pair, a dialogue."""

    id: str
    """Content hash of chunk id, recipe and columns."""
    chunk_id: str
    """The chunk that it was written from."""
    recipe: str
    generator: str
    """The provider's model."""
    columns: str
    """Column -> value, as JSON."""
    attributes: str
    """Attribute -> value that the prompt was given, as JSON."""


@dataclass(frozen=True, slots=True)
class ChunkLink:
    """Two chunks that a recipe found to belong together."""

    chunk_id: str
    other_chunk_id: str
    recipe: str
    kind: str
    """`entities`, `similarity`, `siblings` (sections side by side) or `page link`."""
    weight: float
    """How strongly, 0..1."""
    shared: str
    """What they share, in words."""
    place: str
    """Title and heading of the chunk."""
    other_place: str
    """Likewise of the other one."""


@dataclass(frozen=True, slots=True)
class QueryFacts:
    """What a person who reviews a query, and the order in which they see it, rest on."""

    id: str
    """The triplet's."""
    split: str
    """The side it falls on: `train`, `dev` or `test`."""
    chunk_similarity: float
    """Cosine of query and chunk under the base model, -1..1."""
    negative_chunk_similarity: float | None
    """Cosine of negative query and chunk; None without one."""
    negative_query_similarity: float | None
    """Cosine of query and negative query; None without one."""
    review_priority: float
    """How much it needs a person, 0..1."""
    reason: str
    """Why, in a few words that many queries share."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What people made of a query, reconciled; or a query of their own."""

    id: str
    """The triplet's; of a person's own query, a content hash of chunk and query."""
    chunk_id: str
    query: str
    """As people left it."""
    negative_query: str | None
    generated_query: str
    """As it was written; empty for a person's own."""
    style: str
    status: str
    """`confirmed`, `edited`, `rejected`, `unfixed` (fixable, but nobody fixed it) or `human` (their own)."""
    annotators: str
    """Pseudonyms of those who answered, joined by spaces."""
    agreement: float
    """Share of them whose answer this is, 0..1."""
    complete: bool
    """As many answered as the dataset asks for."""
    further_chunk_ids: str = ""
    """As in `GeneratedQuery`."""

    @property
    def chunk_ids(self) -> tuple[str, ...]:
        """Every chunk that the query needs, its own first."""
        return (self.chunk_id, *self.further_chunk_ids.split())


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was dropped: counted and kept, never silent."""

    id: str
    chunk_id: str
    query: str
    filter: str
    """The filter (or failure) that dropped it."""
    reason: str
    """In words, with the value seen and the limit."""


OWN, HELD_OUT, PSEUDO = "own", "held_out", "pseudo"
"""Where a pair comes from: somebody had it; such a pair, kept to evaluate on; a query that a teacher labelled."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and one chunk that answers it, on one side of the split."""

    query: str
    chunk_id: str
    split: str
    """`train`, `dev` or `test`."""
    provenance: str
    """`generated`, `edited`, `confirmed`, `human`, `own` (a pair that somebody had), `held_out` (one to evaluate on) or `pseudo`
    (a query of one's own that a teacher labelled)."""
    style: str
    """How it asks; of a pair that somebody had, the name of its set."""
    negative_query: str | None = None
    """A query that the chunk does not answer, where one was written."""


@dataclass(frozen=True, slots=True)
class LabelledPair:
    """A query of one's own and a chunk, with how well the chunk answers it."""

    id: str
    """Content hash of set, query and chunk."""
    query: str
    chunk_id: str
    score: float
    """Above 0 it answers; else it is a hard negative."""
    source: str
    """The name of its set."""
    matched: str
    """How the chunk was found: `exact`, `document` (its best chunk), `text` (most of the words), or `free text`, which is no
    chunk of the corpus."""
    place: str
    """File and line."""


@dataclass(frozen=True, slots=True)
class RankedChunk:
    """A chunk of a list whose order is learnt, and how much of the query's answer it is."""

    query: str
    chunk_id: str
    target: float
    """0..1; those of a query sum up to 1."""
    source: str
    """The name of its set."""
    labelled_by: str
    """A teacher, `clicks` or `labels`."""


def heading_path(*headings: str) -> str:
    """Returns where a text stands, from its title to its section, as far as they are known."""
    return " > ".join(heading for heading in headings if heading)


def embedded_text(chunk: Chunk) -> str:
    """Returns what the model reads for a chunk: title and heading path in front of the text."""
    place = heading_path(chunk.title, chunk.section)
    return f"{place}\n{chunk.text}" if place else chunk.text


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    """A document as the later steps need it: its name, and which documents say nearly the same."""

    doc_id: str
    title: str
    source: str
    group: str
    """Shared by near-duplicate documents, which stay on one side of the split."""


@dataclass(frozen=True, slots=True)
class DuplicateChunk:
    """A chunk that the corpus left out because a kept one says the same."""

    chunk_id: str
    doc_id: str
    kept_chunk_id: str
    kind: str
    """`exact` or `near`."""
