"""What is recorded of a corpus: what was read and skipped, and how it was cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from finetrieve.core.record import Record, Text


class DocumentsWithoutChunks(Record):
    """Documents of which nothing came."""

    count: int
    examples: Sequence[Text]
    """Document ids."""


class WordlessRuns(Record):
    """Encoded files, certificates and minified code, which were left out of chunks."""

    documents: int
    """That had some."""
    characters: int
    examples: Sequence[Text]
    """Ids of the documents with most."""


class TokenCounts(Record):
    """Tokens per chunk, as the model reads it."""

    min: int
    median: int | float
    mean: int | float
    max: int
    total: int


class Words(Record):
    """Words of the documents as they were read: those in chunks, and the others by the reason for which they are in none."""

    total: int
    kept: int
    removed: Mapping[Text, int]
    """Reason -> words, most frequent first."""

    def lines(self) -> list[str]:
        """Returns the numbers as lines for a terminal."""
        share = f" ({self.kept / self.total:.1%})" if self.total else ""
        reasons = [f"  {number:,} not: {reason}" for reason, number in self.removed.items()]
        return [f"Words: {self.total:,} read, {self.kept:,} in chunks{share}", *reasons]


class DuplicateExample(Record):
    """A chunk that stands for others."""

    text: Text
    """Its beginning."""
    copies: int
    kind: Literal["exact", "near"]


class DuplicateCounts(Record):
    """Chunks that were left out because a kept one says the same."""

    exact: int
    near: int
    groups: int
    """Chunks that stand for them."""
    examples: Sequence[DuplicateExample]
    """Those that stand for most."""


class ChunkReport(Record):
    """How documents became chunks."""

    documents: int
    documents_without_chunks: DocumentsWithoutChunks
    wordless: WordlessRuns | None = None
    chunks: int
    languages: Mapping[Text, int] = {}
    """Language, as an ISO 639-1 code -> chunks of documents in it, most frequent first."""
    tokens: TokenCounts
    duplicates: DuplicateCounts
    words: Words


class CorpusReport(Record):
    """What was read, what was skipped and why, and how the documents became chunks."""

    fingerprint: Text = ""
    """Of the documents."""
    version: Text = ""
    """Which state of a place that changes was read: a commit, the day of a visit."""
    documents: int | None = None
    skipped: Mapping[Text, int] = {}
    """Reason -> inputs that became no document, most frequent first."""
    skipped_examples: Mapping[Text, Sequence[Text]] = {}
    """Reason -> some of those inputs."""
    documents_without_chunks: DocumentsWithoutChunks | None = None
    wordless: WordlessRuns | None = None
    chunks: int | None = None
    languages: Mapping[Text, int] = {}
    tokens: TokenCounts | None = None
    duplicates: DuplicateCounts | None = None
    words: Words | None = None

    def skipped_lines(self) -> list[str]:
        """Returns a line per reason for which inputs became no document or characters no chunk, with some of them."""
        left_out = [
            f"left out {runs.characters:,} characters without words, such as encoded files ({', '.join(runs.examples)})"
            for runs in [self.wordless]
            if runs and runs.documents
        ]
        return left_out + [
            f"skipped {number:,}: {reason} ({', '.join(examples)}{', ...' if number > len(examples) else ''})"
            for reason, number in self.skipped.items()
            for examples in [self.skipped_examples.get(reason, [])]
        ]
