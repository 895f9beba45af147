"""From documents to the corpus: chunks with ids, one for each group of copies, and a report of what was done."""

from __future__ import annotations

import hashlib
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from finetrieve.core.rows import Chunk, Document, Skipped, embedded_text
from finetrieve.corpus.deduplication import DuplicateGroup, drop_duplicates, near_duplicate_documents
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.corpus.splitting import DocumentSplitter

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["ChunkResult", "build_chunks", "near_duplicate_documents", "read_report"]

ID_LENGTH = 20
"""Hex characters of a chunk's id: 80 bits, so two of a billion chunks clash with a chance under one in a million."""
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """The corpus and how it came about."""

    chunks: list[Chunk]
    duplicates: list[DuplicateGroup]
    report: dict[str, object]
    """`documents`, `documents_without_chunks`, `chunks`, `tokens` (min, median, mean, max, total) and `duplicates` (exact, near,
    groups, examples)."""


def build_chunks(documents: list[Document], settings: ChunkSettings, tokenizer: Tokenizer) -> ChunkResult:
    """Returns the chunks of the documents, in their order, one for each group of copies.

    Args:
        documents: As a source delivers them.
        settings: How long chunks are and what counts as a copy.
        tokenizer: The model's own, with truncation and padding off.
    """
    splitter = DocumentSplitter(tokenizer, settings.max_tokens, settings.overlap_tokens, settings.min_tokens)
    cut = [chunk for document in documents for chunk in _document_chunks(document, splitter)]
    kept, groups = drop_duplicates(cut, settings.near_duplicate_threshold)
    return ChunkResult(kept, groups, _report(documents, cut, kept, groups))


def read_report(documents: Sequence[Document], skipped: Sequence[Skipped]) -> dict[str, Any]:
    """Returns what a source read: `documents_read`, `skipped` and, by reason, how many with a few examples."""
    by_reason: dict[str, list[str]] = {}
    for item in skipped:
        by_reason.setdefault(item.reason, []).append(item.source)
    reasons = sorted(by_reason.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    return {
        "documents_read": len(documents),
        "skipped": len(skipped),
        "skipped_by_reason": [{"reason": reason, "count": len(names), "examples": names[:EXAMPLES]} for reason, names in reasons],
    }


def chunk_id(doc_id: str, text: str) -> str:
    """Returns the content id of a chunk."""
    return hashlib.sha256(f"{doc_id}\0{text}".encode(errors="surrogatepass")).hexdigest()[:ID_LENGTH]


def _document_chunks(document: Document, splitter: DocumentSplitter) -> list[Chunk]:
    chunks: list[Chunk] = []
    seen: set[str] = set()
    for span in splitter.split(document.title, document.text):
        identity = chunk_id(document.id, span.text)
        if identity in seen:  # The same words twice in a document are one chunk.
            continue
        seen.add(identity)
        chunks.append(
            Chunk(
                id=identity,
                doc_id=document.id,
                source=document.source,
                title=span.title,
                section=span.section,
                text=span.text,
                n_tokens=0,
                position=len(chunks),
            )
        )
    counts = splitter.count_embedded([embedded_text(chunk) for chunk in chunks])
    return [replace(chunk, n_tokens=n_tokens) for chunk, n_tokens in zip(chunks, counts, strict=True)]


def _report(documents: list[Document], cut: list[Chunk], kept: list[Chunk], groups: list[DuplicateGroup]) -> dict[str, object]:
    with_chunks = {chunk.doc_id for chunk in cut}
    empty = [document.id for document in documents if document.id not in with_chunks]
    dropped = Counter[str]()
    for group in groups:
        dropped[group.kind] += len(group.dropped)
    text_of = {chunk.id: chunk.text for chunk in kept}
    largest = sorted(groups, key=lambda group: -len(group.dropped))[:EXAMPLES]
    return {
        "documents": len(documents),
        "documents_without_chunks": {"count": len(empty), "examples": empty[:EXAMPLES]},
        "chunks": len(kept),
        "tokens": _token_figures([chunk.n_tokens for chunk in kept]),
        "duplicates": {
            "exact": dropped["exact"],
            "near": dropped["near"],
            "groups": len(groups),
            "examples": [
                {"text": text_of[group.kept][:200], "copies": len(group.dropped), "kind": group.kind} for group in largest
            ],
        },
    }


def _token_figures(counts: list[int]) -> dict[str, float]:
    if not counts:
        return {"min": 0, "median": 0, "mean": 0, "max": 0, "total": 0}
    return {
        "min": min(counts),
        "median": statistics.median(counts),
        "mean": round(statistics.fmean(counts), 1),
        "max": max(counts),
        "total": sum(counts),
    }
