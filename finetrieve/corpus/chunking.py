"""From documents to the corpus: chunks with ids, one for each group of copies, and a report of what was done."""

from __future__ import annotations

import hashlib
import re
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from finetrieve.core.corpus import Corpus
from finetrieve.core.languages import document_languages, language_shares
from finetrieve.core.rows import Chunk, Document, DocumentEntry, DuplicateChunk, Skipped, embedded_text
from finetrieve.corpus.deduplication import DuplicateGroup, drop_duplicates, near_duplicate_documents
from finetrieve.corpus.parsing.cleaning import first_heading
from finetrieve.corpus.parsing.prose import WORD
from finetrieve.corpus.parsing.removal import UNREADABLE, Removal, WordCount
from finetrieve.corpus.report import (
    ChunkReport,
    CorpusReport,
    DocumentsWithoutChunks,
    DuplicateCounts,
    DuplicateExample,
    TokenCounts,
    WordlessRuns,
    Words,
)
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.corpus.sources.base import SourceRead
from finetrieve.corpus.splitting import DocumentSplitter
from finetrieve.corpus.word_count import count_words, word_total, words_lost
from finetrieve.corpus.wordless_runs import without_wordless_runs

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ID_LENGTH = 20
"""Hex characters of a chunk's id: 80 bits, so two of a billion chunks clash with a chance under one in a million."""
EXAMPLES = 5
REPEATED = "said before, word for word, in the same document"
HEADED = "headings whose words another heading of the document has too"
WITHOUT_TEXT = "documents that hold no text"
COPIES = "chunks that say the same as another, which stays"


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """The chunks of documents and how they came about."""

    chunks: list[Chunk]
    duplicates: list[DuplicateGroup]
    report: ChunkReport

    def duplicate_chunks(self) -> list[DuplicateChunk]:
        """Returns a row for each chunk that was left out."""
        return [
            DuplicateChunk(chunk_id=dropped.chunk_id, doc_id=dropped.doc_id, kept_chunk_id=group.kept, kind=group.kind)
            for group in self.duplicates
            for dropped in group.dropped
        ]


def build_corpus(
    read: SourceRead, settings: ChunkSettings, tokenizer: Tokenizer, fingerprint: str = ""
) -> tuple[Corpus, CorpusReport]:
    """Returns the corpus of what a source delivered, and what is recorded of it.

    Args:
        read: The documents, and what became none.
        settings: How long chunks are and what counts as a copy.
        tokenizer: The model's own, with truncation and padding off.
        fingerprint: Of the documents, for the record.
    """
    result = build_chunks(read.documents, settings, tokenizer, read.words)
    groups = near_duplicate_documents(read.documents)
    documents = [DocumentEntry(d.id, d.title, d.source, groups.get(d.id, d.id)) for d in read.documents]
    by_reason = _skipped_by_reason(read.skipped)
    report = CorpusReport(
        fingerprint=fingerprint,
        version=read.version,
        skipped={reason: len(names) for reason, names in by_reason.items()},
        skipped_examples={reason: names[:EXAMPLES] for reason, names in by_reason.items()},
        **dict(result.report),
    )
    return Corpus.from_rows(result.chunks, documents, result.duplicate_chunks()), report


def build_chunks(
    documents: list[Document], settings: ChunkSettings, tokenizer: Tokenizer, words: WordCount | None = None
) -> ChunkResult:
    """Returns the chunks of the documents, in their order, one for each group of copies.

    Args:
        documents: As a source delivered them.
        settings: How long chunks are and what counts as a copy.
        tokenizer: The model's own, with truncation and padding off.
        words: What the source counted when it read them.
    """
    splitter = DocumentSplitter(tokenizer, settings.max_tokens, settings.overlap_tokens, settings.min_tokens)
    cut: list[Chunk] = []
    counts = WordCount()
    read, documents = documents, [replace(document, text=without_wordless_runs(document.text)) for document in documents]
    lost = {old.id: len(old.text) - len(new.text) for old, new in zip(read, documents, strict=True)}
    languages = document_languages(document.text for document in documents)
    for before, document, language in zip(read, documents, languages, strict=True):
        chunks, repeated = _document_chunks(document, splitter, language)
        counts.add(_words_cut(before, document, chunks, repeated))
        cut += chunks
    kept, groups = drop_duplicates(cut, settings.near_duplicate_threshold)
    copies = sum(word_total(dropped.text) for group in groups for dropped in group.dropped)
    counts.removed.update({COPIES: copies} if copies else {})
    if words is not None and words.read:
        counts.read = words.read
        counts.removed.update(words.removed)
    wordless = {name: number for name, number in lost.items() if number > 0}
    return ChunkResult(kept, groups, _report(documents, cut, kept, groups, wordless, counts))


def _words_cut(before: Document, document: Document, chunks: list[Chunk], repeated: list[str]) -> WordCount:
    """Returns the words of a document, and those that are in none of its chunks; `before` has its runs without words."""
    titled = first_heading(document.text) == document.title
    whole = before.text if titled else f"{before.title}\n{before.text}"
    wordless = Removal(UNREADABLE, words_lost(before.text, document.text))
    if not chunks:
        return count_words(whole, "", [wordless, Removal(WITHOUT_TEXT, whole)])
    said = "\n".join([*(chunk.text for chunk in chunks), *{f"{chunk.title} {chunk.section}" for chunk in chunks}])
    headings = " ".join([document.title, *re.findall(r"^#+ .*", document.text, re.MULTILINE)])
    again = " ".join(word for word in WORD.findall(headings) if word in said)
    return count_words(whole, said, [wordless, *(Removal(REPEATED, text) for text in repeated), Removal(HEADED, again)])


def _skipped_by_reason(skipped: Sequence[Skipped]) -> dict[str, list[str]]:
    """Returns reason -> what was skipped for it, most frequent first."""
    by_reason: dict[str, list[str]] = {}
    for item in skipped:
        by_reason.setdefault(item.reason, []).append(item.source)
    return dict(sorted(by_reason.items(), key=lambda entry: (-len(entry[1]), entry[0])))


def chunk_id(doc_id: str, text: str) -> str:
    """Returns the content id of a chunk."""
    return hashlib.sha256(f"{doc_id}\0{text}".encode(errors="surrogatepass")).hexdigest()[:ID_LENGTH]


def _document_chunks(document: Document, splitter: DocumentSplitter, language: str) -> tuple[list[Chunk], list[str]]:
    """Returns a document's chunks, and the texts that were cut a second time."""
    chunks: list[Chunk] = []
    repeated: list[str] = []
    seen: set[str] = set()
    for span in splitter.split(document.title, document.text):
        identity = chunk_id(document.id, span.text)
        if identity in seen:  # The same words twice in a document are one chunk.
            repeated.append(f"{span.section} {span.text}")
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
                language=language,
            )
        )
    counts = splitter.count_embedded([embedded_text(chunk) for chunk in chunks])
    return [replace(chunk, n_tokens=n_tokens) for chunk, n_tokens in zip(chunks, counts, strict=True)], repeated


def _report(
    documents: list[Document],
    cut: list[Chunk],
    kept: list[Chunk],
    groups: list[DuplicateGroup],
    wordless: dict[str, int],
    words: WordCount,
) -> ChunkReport:
    with_chunks = {chunk.doc_id for chunk in cut}
    empty = [document.id for document in documents if document.id not in with_chunks]
    dropped = Counter[str]()
    for group in groups:
        dropped[group.kind] += len(group.dropped)
    text_of = {chunk.id: chunk.text for chunk in kept}
    largest = sorted(groups, key=lambda group: -len(group.dropped))[:EXAMPLES]
    return ChunkReport(
        documents=len(documents),
        documents_without_chunks=DocumentsWithoutChunks(count=len(empty), examples=empty[:EXAMPLES]),
        wordless=WordlessRuns(
            documents=len(wordless),
            characters=sum(wordless.values()),
            examples=sorted(wordless, key=lambda d: -wordless[d])[:EXAMPLES],
        ),
        chunks=len(kept),
        languages=language_shares([chunk.language for chunk in kept if chunk.language]),
        tokens=_token_counts([chunk.n_tokens for chunk in kept]),
        duplicates=DuplicateCounts(
            exact=dropped["exact"],
            near=dropped["near"],
            groups=len(groups),
            examples=[
                DuplicateExample(text=text_of[group.kept][:200], copies=len(group.dropped), kind=group.kind) for group in largest
            ],
        ),
        words=Words(
            total=words.read,
            kept=words.kept,
            removed={reason: number for reason, number in words.removed.most_common() if number},
        ),
    )


def _token_counts(counts: list[int]) -> TokenCounts:
    if not counts:
        return TokenCounts(min=0, median=0, mean=0, max=0, total=0)
    mean = round(statistics.fmean(counts), 1)
    return TokenCounts(min=min(counts), median=statistics.median(counts), mean=mean, max=max(counts), total=sum(counts))
