"""The split: by document, for good, and with no question of a person's in training."""

from __future__ import annotations

from collections import Counter

import pytest

from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, GeneratedQuery
from finetrieve.training.settings import SplitSettings
from finetrieve.training.split import check_testable, side_of, split_pairs


def corpus(n_documents: int, per_document: int = 2) -> tuple[list[GeneratedQuery], list[Chunk]]:
    chunks = [
        Chunk(f"c{d}.{i}", f"doc{d}", "", "", "", f"text {d} {i}", 5, i) for d in range(n_documents) for i in range(per_document)
    ]
    triplets = [
        GeneratedQuery(f"t{chunk.id}", chunk.id, f"query of {chunk.id}", None, "how_to", "rules", "test") for chunk in chunks
    ]
    return triplets, chunks


def test_shares_come_out_as_asked() -> None:
    counts = Counter(side_of(f"document {i}", SplitSettings(dev=0.1, test=0.2)) for i in range(10_000))
    assert counts["dev"] / 10_000 == pytest.approx(0.1, abs=0.01)
    assert counts["test"] / 10_000 == pytest.approx(0.2, abs=0.01)


def test_a_document_keeps_its_side_when_the_corpus_grows() -> None:
    few, many = corpus(60), corpus(600)
    side = [{p.chunk_id: p.split for p in split_pairs(*rows, SplitSettings(), groups={}).pairs} for rows in (few, many)]
    assert side[0].items() <= side[1].items()


def test_near_duplicate_documents_stay_on_one_side() -> None:
    triplets, chunks = corpus(100)
    groups = {f"doc{d}": f"group{d // 4}" for d in range(100)}
    document_of = {chunk.id: chunk.doc_id for chunk in chunks}
    pairs = split_pairs(triplets, chunks, SplitSettings(), groups=groups).pairs
    sides = {(groups[document_of[pair.chunk_id]], pair.split) for pair in pairs}
    assert len(sides) == 25


def test_with_a_human_evaluation_set_only_dev_stays_out_of_training() -> None:
    triplets, chunks = corpus(100)
    without = {p.chunk_id: p.split for p in split_pairs(triplets, chunks, SplitSettings(), groups={}).pairs}
    having = {p.chunk_id: p.split for p in split_pairs(triplets, chunks, SplitSettings(), groups={}, human_eval=True).pairs}
    assert set(without.values()) == {"train", "dev", "test"}
    assert having == {chunk_id: "train" if side == "test" else side for chunk_id, side in without.items()}


@pytest.mark.parametrize("asked", ["query of c3.0", "Query of C3.0?", "  query   of c3.0 "])
def test_a_persons_question_is_never_trained_on_however_it_is_written(asked: str) -> None:
    triplets, chunks = corpus(30)
    result = split_pairs(triplets, chunks, SplitSettings(), groups={}, human_eval=True, held_out_queries=[asked])
    assert "query of c3.0" not in {pair.query for pair in result.pairs}
    assert result.report.left_out_as_human_questions == 1


def test_a_query_on_two_sides_goes_to_the_held_out_one_with_all_its_answers() -> None:
    _, chunks = corpus(100, 1)
    by_side = {side_of(chunk.doc_id, SplitSettings()): chunk.id for chunk in chunks}
    shared = [
        GeneratedQuery(f"t{side}", by_side[side], query, None, "", "rules", "")
        for side, query in (("train", "What is a stack?"), ("dev", "what is a stack"))
    ]
    others, _ = corpus(100, 1)
    result = split_pairs([*others, *shared], chunks, SplitSettings(), groups={})
    assert {pair.split for pair in result.pairs if "stack" in pair.query} == {"dev"}
    assert result.report.moved_because_shared == 1


@pytest.mark.parametrize(
    ("n_documents", "per_document", "unit", "sides"),
    [
        (200, 1, "document", {"train", "dev", "test"}),
        (1, 200, "chunk", {"train", "dev", "test"}),
        (1, 4, "chunk, by rank", {"train", "dev", "test"}),
        (1, 2, "chunk", {"train"}),
    ],
)
def test_too_few_documents_fall_back_to_chunks_and_the_report_says_so(
    n_documents: int, per_document: int, unit: str, sides: set[str]
) -> None:
    result = split_pairs(*corpus(n_documents, per_document), SplitSettings(), groups={})
    assert (result.report.unit, {pair.split for pair in result.pairs}) == (unit, sides)


def test_without_anything_to_test_on_it_is_said_before_the_training() -> None:
    one_page = split_pairs(*corpus(1), SplitSettings(), groups={}).report
    with pytest.raises(InputError, match=r"all 2 queries are trained on \(passages: 2, documents: 1\).*--eval-set"):
        check_testable(one_page)
    check_testable(split_pairs(*corpus(1), SplitSettings(), groups={}, human_eval=True).report)
    check_testable(split_pairs(*corpus(1, 3), SplitSettings(), groups={}).report)  # its passages are split


def test_a_share_of_nothing_is_left_empty() -> None:
    result = split_pairs(*corpus(50), SplitSettings(dev=0, test=0), groups={})
    assert result.report.pairs == {"train": 100, "dev": 0, "test": 0}


def test_shares_that_leave_nothing_to_train_on_are_refused() -> None:
    with pytest.raises(ValueError, match="leave nothing to train on"):
        SplitSettings(dev=0.6, test=0.5)


def test_queries_that_people_added_are_trained_on_with_their_document_and_never_judge() -> None:
    triplets, chunks = corpus(100)
    held_out = next(chunk for chunk in chunks if side_of(chunk.doc_id, SplitSettings()) == "test")
    added = GeneratedQuery("own", held_out.id, "a question of a person's own", None, "argilla", "argilla", "argilla")
    before = {pair.chunk_id: pair.split for pair in split_pairs(triplets, chunks, SplitSettings(), groups={}).pairs}
    found = split_pairs([*triplets, added], chunks, SplitSettings(), groups={}, provenance={"own": "human"})
    sides = {pair.chunk_id: pair.split for pair in found.pairs}
    assert [pair.split for pair in found.pairs if pair.provenance == "human"] == ["train"]
    moved = {chunk_id for chunk_id, side in before.items() if sides[chunk_id] != side}
    assert moved == {chunk.id for chunk in chunks if chunk.doc_id == held_out.doc_id}
    assert found.report.human_pairs == {"train": 1, "dev": 0, "test": 0} and found.report.moved_for_own_queries == 1


def test_with_few_chunks_those_that_people_asked_about_are_trained_on_all_the_same() -> None:
    triplets, chunks = corpus(1, per_document=6)
    for chunk in chunks:
        added = GeneratedQuery("own", chunk.id, "a question of a person's own", None, "argilla", "argilla", "argilla")
        found = split_pairs([*triplets, added], chunks, SplitSettings(dev=0.1, test=0.1), groups={}, provenance={"own": "human"})
        assert [pair.split for pair in found.pairs if pair.chunk_id == chunk.id] == ["train", "train"]
        assert {pair.split for pair in found.pairs} == {"train", "dev", "test"}
