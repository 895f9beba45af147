"""From what a source delivered to the corpus, and what is recorded of it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from tokenizers import Tokenizer

from finetrieve.core.rows import Document, DuplicateChunk, Skipped
from finetrieve.core.tables import to_rows
from finetrieve.corpus.chunking import build_corpus
from finetrieve.corpus.report import CorpusReport
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.corpus.sources.base import SourceRead

TEXT = "The old key stays valid for one hour after a new one was made in the console."


def test_the_corpus_has_each_text_once_and_the_report_counts_everything(tokenizer: Tokenizer) -> None:
    documents = [Document("a", "Keys", TEXT, "a.md"), Document("b", "Keys", TEXT, "b.md"), Document("c", "Empty", "", "c.md")]
    skipped = [Skipped("x.png", "a picture"), Skipped("y.pdf", "a PDF"), Skipped("z.pdf", "a PDF")]
    corpus, report = build_corpus(SourceRead(documents, skipped), ChunkSettings(), tokenizer, "fingerprint")
    [kept] = corpus.chunk_rows()
    assert (kept.doc_id, kept.text) == ("a", TEXT)
    [copy] = to_rows(corpus.duplicates, DuplicateChunk)
    assert (copy.doc_id, copy.kept_chunk_id, copy.kind) == ("b", kept.id, "exact")
    assert corpus.group_of_document == {"a": "a", "b": "a", "c": "c"}
    tokens = {"min": kept.n_tokens, "median": kept.n_tokens, "mean": kept.n_tokens, "max": kept.n_tokens, "total": kept.n_tokens}
    assert list(report.model_dump().items()) == [
        ("fingerprint", "fingerprint"),
        ("version", ""),
        ("documents", 3),
        ("skipped", {"a PDF": 2, "a picture": 1}),
        ("skipped_examples", {"a PDF": ["y.pdf", "z.pdf"], "a picture": ["x.png"]}),
        ("documents_without_chunks", {"count": 1, "examples": ["c"]}),
        ("wordless", {"documents": 0, "characters": 0, "examples": []}),
        ("chunks", 1),
        ("languages", {"en": 1}),
        ("tokens", tokens),
        ("duplicates", {"exact": 1, "near": 0, "groups": 1, "examples": [{"text": TEXT, "copies": 1, "kind": "exact"}]}),
        (
            "words",
            {
                "total": 37,
                "kept": 19,
                "removed": {"chunks that say the same as another, which stays": 17, "documents that hold no text": 1},
            },
        ),
    ]
    assert CorpusReport.model_validate(report.model_dump()) == report
    with pytest.raises(ValidationError, match="skipped_files"):
        CorpusReport.model_validate({**report.model_dump(), "skipped_files": []})
