from __future__ import annotations

import pytest

from finetrieve.annotation.review import review
from finetrieve.core.rows import Annotation
from tests.annotation.rows import annotation, triplet

CHUNKS = {"c1", "c2"}


def rows(annotations: list[Annotation], use: str = "all", human: bool = True) -> dict[str, str]:
    """Returns query -> provenance for three generated queries about one chunk, of which `annotations` tell."""
    triplets = [triplet("t1", "how do I reach the pump"), triplet("t2", "what is a pump"), triplet("t3", "pump cover")]
    found = review(triplets, annotations, CHUNKS, use, human)  # type: ignore[arg-type]
    return {row.query: found.provenance[row.id] for row in found.triplets}


def test_peoples_text_wins_and_what_they_rejected_goes() -> None:
    reviewed = [
        annotation("t1", "edited", "pump stuck"),
        annotation("t2", "rejected", "what is a pump", generated_query="what is a pump"),
    ]
    assert rows(reviewed) == {"pump stuck": "edited", "pump cover": "generated"}


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("all", {"pump stuck": "edited", "what is a pump": "confirmed", "pump cover": "generated"}),
        ("submitted", {"pump stuck": "edited", "what is a pump": "confirmed"}),
        ("reviewed", {"what is a pump": "confirmed"}),
    ],
)
def test_untouched_rows_stay_or_go_by_use(use: str, expected: dict[str, str]) -> None:
    reviewed = [
        annotation("t1", "edited", "pump stuck", complete=False),
        annotation("t2", "confirmed", "what is a pump", generated_query="what is a pump"),
    ]
    assert rows(reviewed, use) == expected


def test_a_query_that_was_to_be_fixed_and_was_not_is_left_out() -> None:
    assert "how do I reach the pump" not in rows([annotation("t1", "unfixed", "how do I reach the pump")])


def test_own_queries_are_rows_unless_they_are_evaluated_on() -> None:
    own = [annotation("h1", "human", "leaking!")]
    assert rows(own)["leaking!"] == "human"
    assert "leaking!" not in rows(own, human=False)


def test_answers_follow_their_query_to_the_chunk_that_took_their_chunks_place() -> None:
    moved = triplet("new id", "How do I reach the pump?", "c2")
    found = review([moved], [annotation("t1", "rejected", "x", chunk_id="c2")], CHUNKS)
    assert found.triplets == [] and found.counts.left_out == {"rejected": 1}


def test_a_kept_query_that_is_no_longer_generated_stays() -> None:
    found = review([], [annotation("t9", "confirmed", "how do I reach the pump")], CHUNKS)
    assert [(row.query, row.chunk_id) for row in found.triplets] == [("how do I reach the pump", "c1")]
    assert found.provenance == {"t9": "confirmed"}


def test_answers_about_chunks_that_are_gone_are_left_out() -> None:
    assert (
        review([], [annotation("t9", "confirmed", chunk_id="gone"), annotation("h", "human", chunk_id="gone")], CHUNKS).triplets
        == []
    )


def test_the_same_question_about_a_chunk_counts_once_and_the_persons_stays() -> None:
    found = rows([annotation("h1", "human", "What is a PUMP?"), annotation("t1", "edited", "pump cover")])
    assert found == {"pump cover": "edited", "What is a PUMP?": "human"}


def test_a_changed_negative_goes_with_the_query() -> None:
    [row] = review([triplet("t1", negative_query="old")], [annotation("t1", "confirmed", negative_query="new")], CHUNKS).triplets
    assert row.negative_query == "new"
