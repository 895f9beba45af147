"""The corpus: views of three tables, without an object for every row."""

from __future__ import annotations

import pytest

from finetrieve.core.corpus import Corpus
from finetrieve.core.rows import Chunk, DocumentEntry, DuplicateChunk
from finetrieve.core.tables import to_rows

CHUNKS = [Chunk(f"c{n}", f"d{n // 2}", "source", "Keys", "Rotate" if n else "", f"text {n}", 5, n) for n in range(5)]
DOCUMENTS = [DocumentEntry("d0", "Keys", "source", "d0"), DocumentEntry("d1", "Keys too", "source", "d0")]


def test_rows_come_back_as_they_went_in() -> None:
    duplicate = DuplicateChunk("x", "d1", "c0", "exact")
    corpus = Corpus.from_rows(CHUNKS, DOCUMENTS, [duplicate])
    assert len(corpus) == 5
    assert list(corpus.chunk_rows()) == list(corpus.chunk_rows()) == CHUNKS
    assert to_rows(corpus.documents, DocumentEntry) == DOCUMENTS
    assert to_rows(corpus.duplicates, DuplicateChunk) == [duplicate]


def test_a_chunk_is_found_by_its_id_and_a_document_knows_its_group() -> None:
    corpus = Corpus.from_rows(CHUNKS, DOCUMENTS)
    assert corpus.chunk("c3") == CHUNKS[3]
    assert corpus.chunk("c3") is corpus.chunk("c3")
    assert corpus.row_of_chunk == {"c0": 0, "c1": 1, "c2": 2, "c3": 3, "c4": 4}
    assert corpus.group_of_document == {"d0": "d0", "d1": "d0"}
    with pytest.raises(KeyError):
        corpus.chunk("c9")


def test_texts_are_what_the_model_reads() -> None:
    assert list(Corpus.from_rows(CHUNKS[:2]).texts()) == ["Keys\ntext 0", "Keys > Rotate\ntext 1"]


def test_chunks_alone_are_a_corpus_without_documents() -> None:
    corpus = Corpus(Corpus.from_rows(CHUNKS).chunks)
    assert (corpus.documents.num_rows, corpus.duplicates.num_rows) == (0, 0)
    assert corpus.group_of_document == {}
