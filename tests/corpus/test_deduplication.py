"""Copies and near copies: one stays, the others are named, and many are found fast."""

from __future__ import annotations

import random
import re
import time

import pytest
from tokenizers import Tokenizer

from finetrieve.core.rows import Chunk, Document
from finetrieve.corpus.chunking import build_chunks
from finetrieve.corpus.deduplication import drop_duplicates, near_duplicate_documents, similar
from finetrieve.corpus.settings import ChunkSettings

TEXT = (
    "To reset the device open the settings and choose general management then tap reset "
    "and follow what the screen tells you to do next"
)


def chunk(identity: str, text: str, section: str = "") -> Chunk:
    return Chunk(identity, f"doc-{identity}", "x.md", "Title", section, text, 9, 0)


def test_copies_are_exact_but_for_case_blanks_and_punctuation() -> None:
    kept, groups = drop_duplicates(
        [chunk("a", TEXT), chunk("b", TEXT.upper() + "!"), chunk("c", "Something else altogether here now.")], 0.9
    )
    assert [item.id for item in kept] == ["a", "c"]
    (group,) = groups
    assert (group.kept, group.kind, [(item.chunk_id, item.doc_id) for item in group.dropped]) == ("a", "exact", [("b", "doc-b")])


def test_near_copies_join_the_first_one() -> None:
    changed = TEXT.replace("next", "now")
    kept, groups = drop_duplicates([chunk("a", TEXT), chunk("b", changed), chunk("c", changed)], 0.85)
    assert [item.id for item in kept] == ["a"]
    assert groups[0].kind == "near"
    assert [item.chunk_id for item in groups[0].dropped] == ["b", "c"]
    assert len(drop_duplicates([chunk("a", TEXT), chunk("b", changed)], 1.0)[0]) == 2


def test_a_short_text_is_a_copy_only_in_the_same_place() -> None:
    same_place = [chunk("a", "Not supported.", "Linux"), chunk("b", "Not supported.", "Linux")]
    assert len(drop_duplicates(same_place, 0.9)[0]) == 1
    elsewhere = [chunk("a", "Not supported.", "Linux"), chunk("b", "Not supported.", "Windows")]
    assert len(drop_duplicates(elsewhere, 0.9)[0]) == 2


def test_nearly_the_same_documents_share_a_group() -> None:
    long = " ".join(f"word{number} and" for number in range(200))
    documents = [Document("v1/a", "A", long, "a"), Document("b", "B", TEXT, "b"), Document("v2/a", "A", f"{long} more", "c")]
    groups = near_duplicate_documents(documents)
    assert groups["v1/a"] == groups["v2/a"] != groups["b"]


def test_the_report_counts_copies(tokenizer: Tokenizer) -> None:
    documents = [Document("a", "A", TEXT, "a"), Document("b", "A", TEXT, "b"), Document("c", "C", "", "c")]
    result = build_chunks(documents, ChunkSettings(), tokenizer)
    assert result.report.chunks == 1
    assert result.report.documents_without_chunks.model_dump() == {"count": 1, "examples": ["c"]}
    duplicates = result.report.duplicates
    assert (duplicates.exact, duplicates.near, duplicates.groups) == (1, 0, 1)


@pytest.mark.slow
def test_likeness_is_found_among_many_and_none_is_invented() -> None:
    generator = random.Random(3)
    vocabulary = [f"w{number}" for number in range(3000)]
    texts = [generator.choices(vocabulary, k=80) for _ in range(3000)]
    copies = [[*text[:79], "other"] for text in texts[:300]]
    start = time.process_time()
    leaders = similar([*texts, *copies], 0.9)
    assert time.process_time() - start < 20
    assert leaders[:3000] == list(range(3000))
    assert sum(leader == position for position, leader in enumerate(leaders[3000:])) >= 297


@pytest.mark.slow
def test_thousands_of_equal_looking_texts_are_not_compared_all_with_all() -> None:
    frame = re.findall(r"\w+", "this row of the table says that the value of the setting is number")
    start = time.process_time()
    similar([[*frame, str(number), str(number + 1), str(number * 7)] for number in range(4000)], 0.95)
    assert time.process_time() - start < 20
