"""What is recorded of a corpus: what was read and skipped, and how it was cut."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DocumentsWithoutChunks(_Record):
    """Documents of which nothing came."""

    count: int
    examples: list[str]
    """Document ids."""


class TokenCounts(_Record):
    """Tokens per chunk, as the model reads it."""

    min: int
    median: int | float
    mean: int | float
    max: int
    total: int


class DuplicateExample(_Record):
    """A chunk that stands for others."""

    text: str
    """Its beginning."""
    copies: int
    kind: Literal["exact", "near"]


class DuplicateCounts(_Record):
    """Chunks that were left out because a kept one says the same."""

    exact: int
    near: int
    groups: int
    """Chunks that stand for them."""
    examples: list[DuplicateExample]
    """Those that stand for most."""


class ChunkReport(_Record):
    """How documents became chunks."""

    documents: int
    documents_without_chunks: DocumentsWithoutChunks
    chunks: int
    tokens: TokenCounts
    duplicates: DuplicateCounts


class CorpusReport(_Record):
    """What was read, what was skipped and why, and how the documents became chunks."""

    fingerprint: str
    """Of the documents."""
    documents: int
    skipped: dict[str, int]
    """Reason -> inputs that became no document, most frequent first."""
    skipped_examples: dict[str, list[str]]
    """Reason -> some of those inputs."""
    documents_without_chunks: DocumentsWithoutChunks
    chunks: int
    tokens: TokenCounts
    duplicates: DuplicateCounts
