"""Labels find their chunks: by what they say, by the document that they name, by most of their words; the rest is reported."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from finetrieve.core.corpus import Corpus
from finetrieve.core.rows import Chunk, DocumentEntry, DuplicateChunk
from finetrieve.own_data.matching import ChunkFinder, Matches, match_labels
from finetrieve.own_data.pair_rows import Label

TEXTS = {
    "pump.md": ["The pump is a part that moves water through the whole machine.", "Replace the pump once a year, with the power off."],
    "valve.md": ["The valve is a part that stops the water when the tank is full."],
    "copy.md": [],
}  # fmt: skip
CHUNKS = [
    Chunk(f"{doc}#{number}", doc, doc, doc, "", text, 9, number)
    for doc, texts in TEXTS.items()
    for number, text in enumerate(texts)
]
CORPUS = Corpus.from_rows(
    CHUNKS,
    [DocumentEntry(doc, doc, doc, doc) for doc in TEXTS],
    [DuplicateChunk("gone", "copy.md", "valve.md#0", "exact")],
)


def longest_shared_words(queries: Sequence[str], rows: Sequence[Sequence[int]]) -> list[int]:
    """Stands for the teacher: the chunk that has most of the query's words."""
    return [
        max(own, key=lambda row: len(set(query.split()) & set(CHUNKS[row].text.split())))
        for query, own in zip(queries, rows, strict=True)
    ]


def matched(*labels: Label, keep: bool = False) -> Matches:
    return match_labels(labels, "ours", ChunkFinder(CORPUS), [chunk.id for chunk in CHUNKS], longest_shared_words, keep)


@pytest.mark.parametrize(
    ("text", "document", "how", "chunk"),
    [
        ("the PUMP is a part that moves water through the whole machine", "", "exact", "pump.md#0"),
        ("pump.md#1", "", "exact", "pump.md#1"),
        ("gone", "", "exact", "valve.md#0"),
        ("pump.md", "", "document", "pump.md#1"),
        ("pump", "", "document", "pump.md#1"),
        ("", "docs/pump.md", "document", "pump.md#1"),
        ("copy.md", "", "document", "valve.md#0"),
        (" ".join(TEXTS["pump.md"]), "", "text", "pump.md#1"),
        ("a part that stops the water when the tank", "", "text", "valve.md#0"),
        ("moves water through the whole machine", "pump.md", "document", "pump.md#0"),
        ("Nobody ever wrote such a thing about a lamp.", "", "unmatched", None),
        ("", "lamp.md", "unmatched", None),
    ],
)
def test_a_label_finds_its_chunk(text: str, document: str, how: str, chunk: str | None) -> None:
    found = matched(Label("how often do I Replace the pump", text, document, 1.0, "pairs.csv, line 2"))
    assert [(pair.matched, pair.chunk_id) for pair in found.pairs] == ([(how, chunk)] if chunk else [])
    assert [row.filter for row in found.unmatched] == ([] if chunk else ["unmatched"])
    if not chunk:
        assert found.unmatched[0].reason.startswith("pairs.csv, line 2: no ")


def test_a_text_that_no_chunk_says_may_be_kept_and_a_document_that_is_gone_may_not() -> None:
    labels = [
        Label("q", "Nobody ever wrote such a thing about a lamp.", "", 1.0, "line 1"),
        Label("q", "", "lamp.md", 1.0, "line 2"),
    ]
    found = matched(*labels, keep=True)
    assert [pair.matched for pair in found.pairs] == ["free text"] and len(found.unmatched) == 1
    assert [(chunk.text, chunk.id) for chunk in found.free_texts] == [(labels[0].text, found.pairs[0].chunk_id)]
    assert found.report.as_json() == {
        "queries": 1,
        "pairs": 2,
        "negatives": 0,
        "matched": {"free text": 1},
        "unmatched": 1,
        "examples": [{"query": "q", "reason": "line 2: no document 'lamp.md'"}],
    }


def test_an_answer_anywhere_is_no_negative_and_the_same_pair_counts_once() -> None:
    labels = [Label("q", TEXTS["valve.md"][0], "", score, "line 1") for score in (0.0, 1.0, 1.0)]
    found = matched(*labels, Label("q", "pump.md#0", "", 0.0, "line 2"))
    assert [(pair.chunk_id, pair.score) for pair in found.pairs] == [("valve.md#0", 1.0), ("pump.md#0", 0.0)]
    assert found.report.negatives == 1
