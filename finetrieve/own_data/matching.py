"""Labels matched to chunks: by what they say exactly, by the document that they name, or by most of their words."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from finetrieve.core.corpus import Corpus
from finetrieve.core.own_data_report import PairSetReport, UnmatchedPair
from finetrieve.core.rows import Chunk, LabelledPair, Reject
from finetrieve.core.tables import to_rows
from finetrieve.core.text import normalise_query, query_words
from finetrieve.evaluation.question_files import ids_without_ending, named_documents
from finetrieve.own_data.pair_rows import Label
from finetrieve.own_data.personal_data import masked, personal_data_in

SHINGLE_WORDS = 4
ALIKE = 0.5
"""Share of the shorter one's word sequences that passage and chunk have in common, from which one says what the other does."""
EXAMPLES = 5
"""Unmatched pairs that the report quotes."""
FREE_TEXT = "free text"
UNMATCHED = "unmatched"

BestOf = Callable[[Sequence[str], Sequence[Sequence[int]]], list[int]]
"""Takes queries and, for each, some rows of the corpus; returns for each the row that answers it best."""


@dataclass(frozen=True)
class Matches:
    """The labels of a set as pairs with chunks."""

    pairs: list[LabelledPair]
    free_texts: list[Chunk]
    """Texts that are no chunks of the corpus, kept to be trained on."""
    unmatched: list[Reject]
    report: PairSetReport


class ChunkFinder:
    """Finds the chunks that a label can mean.

    Args:
        corpus: The chunks, and which of them stand for chunks that were left out.
    """

    def __init__(self, corpus: Corpus) -> None:
        rows = to_rows(corpus.chunks, Chunk)
        self._row_of_chunk = dict(corpus.row_of_chunk)
        self._of_document: dict[str, list[int]] = defaultdict(list)
        self._of_text: dict[str, list[int]] = defaultdict(list)
        self._of_shingle: dict[int, list[int]] = defaultdict(list)
        self._n_shingles = list[int]()
        for row, chunk in enumerate(rows):
            self._of_document[chunk.doc_id].append(row)
            self._of_text[normalise_query(chunk.text)].append(row)
            shingles = _shingles(chunk.text)
            self._n_shingles.append(len(shingles))
            for shingle in shingles:
                self._of_shingle[shingle].append(row)
        left_out = corpus.duplicates.select(["chunk_id", "doc_id", "kept_chunk_id"]).to_pydict()
        for chunk_id, document, kept in zip(*left_out.values(), strict=True):
            row = self._row_of_chunk[kept]
            self._row_of_chunk.setdefault(chunk_id, row)
            if row not in self._of_document[document]:
                self._of_document[document].append(row)
        self._documents = set(self._of_document) | set(corpus.documents.column("doc_id").to_pylist())
        self._short = ids_without_ending(self._documents)

    def find(self, label: Label) -> tuple[str, list[int]]:
        """Returns how a label was matched, and the rows that it can mean; none where no chunk says it."""
        for name in (label.document, label.text):
            if name in self._row_of_chunk:
                return "exact", [self._row_of_chunk[name]]
        within = self._rows_of_document(label.document) or ([] if label.document else self._rows_of_document(label.text))
        if same := self._of_text.get(normalise_query(label.text)) if label.text else None:
            return "exact", [row for row in same if row in within] or same
        alike = self._rows_alike(label.text) if label.text else []
        if within:
            return "document", [row for row in within if row in set(alike)] or within
        return ("text", alike) if alike else (UNMATCHED, [])

    def is_document(self, label: Label) -> bool:
        """Returns whether a label names a document and says no text of its own."""
        return not label.text or bool(named_documents(label.text, self._documents, self._short))

    def _rows_of_document(self, name: str) -> list[int]:
        meant = named_documents(name, self._documents, self._short) if name else []
        return list(self._of_document[meant[0]]) if len(meant) == 1 else []

    def _rows_alike(self, text: str) -> list[int]:
        shingles = _shingles(text)
        shared = Counter(row for shingle in shingles for row in self._of_shingle.get(shingle, ()))
        return sorted(row for row, n in shared.items() if n >= ALIKE * min(len(shingles), self._n_shingles[row]))


def _shingles(text: str) -> set[int]:
    """Returns the sequences of words of a text, as hashes; of a shorter text, the whole."""
    words = query_words(text)
    size = min(SHINGLE_WORDS, len(words))
    return {hash(tuple(words[start : start + size])) for start in range(len(words) - size + 1)} if words else set()


def match_labels(
    labels: Sequence[Label], name: str, finder: ChunkFinder, chunk_ids: Sequence[str], best_of: BestOf, keep_unmatched: bool
) -> Matches:
    """Returns the labels of a set as pairs; of several chunks that a label can mean, the one that answers its query best.

    Args:
        labels: What the set says.
        name: The set's.
        finder: Finds the chunks.
        chunk_ids: Of the corpus, by row.
        best_of: Chooses among chunks.
        keep_unmatched: Whether a text that no chunk says is kept as a text of its own.
    """
    found = [finder.find(label) for label in labels]
    several = [number for number, (_, rows) in enumerate(found) if len(rows) > 1]
    chosen = dict(zip(several, best_of([labels[n].query for n in several], [found[n][1] for n in several]), strict=True))
    pairs, free, unmatched = dict[str, LabelledPair](), dict[str, Chunk](), list[Reject]()
    for number, (label, (how, rows)) in enumerate(zip(labels, found, strict=True)):
        if rows:
            chunk_id = chunk_ids[chosen.get(number, rows[0])]
        elif keep_unmatched and not finder.is_document(label) and personal_data_in(label.text) is None:
            chunk = _free_text(label.text, name)
            how, chunk_id = FREE_TEXT, free.setdefault(chunk.id, chunk).id
        else:
            unmatched.append(Reject(_id(name, label.query, label.place), "", label.query, UNMATCHED, _reason(label)))
            continue
        identity = _id(name, normalise_query(label.query), chunk_id)
        pair = LabelledPair(identity, label.query, chunk_id, label.score, name, how, label.place)
        if identity not in pairs or pairs[identity].score < pair.score:  # an answer anywhere is no negative
            pairs[identity] = pair
    return Matches(list(pairs.values()), list(free.values()), unmatched, _report(labels, pairs.values(), unmatched))


def _free_text(text: str, name: str) -> Chunk:
    identity = _id("free text", name, text)
    return Chunk(identity, f"pairs: {name}", f"pairs: {name}", "", "", text, len(query_words(text)), 0)


def _id(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _reason(label: Label) -> str:
    if not label.text:
        return f"{label.place}: no document '{label.document}'"
    text = masked(label.text)
    said = text if len(text) <= 120 else f"{text[:117]}..."
    return f"{label.place}: no chunk says '{said}'"


def _report(labels: Sequence[Label], pairs: Iterable[LabelledPair], unmatched: Sequence[Reject]) -> PairSetReport:
    pairs = list(pairs)
    return PairSetReport(
        queries=len({normalise_query(label.query) for label in labels}),
        pairs=sum(label.score > 0 for label in labels),
        negatives=sum(pair.score <= 0 for pair in pairs),
        matched=dict(sorted(Counter(pair.matched for pair in pairs if pair.score > 0).items())),
        unmatched=len(unmatched),
        examples=[UnmatchedPair(query=row.query, reason=row.reason) for row in unmatched[:EXAMPLES]],
    )
