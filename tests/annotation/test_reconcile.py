from __future__ import annotations

from typing import Any

import pytest

from finetrieve.annotation.reconcile import measure_agreement, merge_own_queries, reconcile
from finetrieve.annotation.responses import ReviewedRecord, parse_responses, pseudonym, split_queries
from finetrieve.core.annotation_report import Agreement
from tests.annotation.rows import QUESTION_IDS, raw_record, response

GENERATED = "how do I reach the pump"


def answered(*responses: dict[str, Any], **rest: Any) -> ReviewedRecord:
    [record] = parse_responses([raw_record(*responses, **rest)], "dataset", QUESTION_IDS)
    return record


def good(user: str, at: str = "1", query: str = GENERATED, **values: str) -> dict[str, Any]:
    return response(user, at=f"2026-01-0{at}", query=query, verdict="good", **values)


def bad(user: str, at: str = "1") -> dict[str, Any]:
    return response(user, at=f"2026-01-0{at}", query=GENERATED, verdict="bad")


def discarded(user: str, at: str = "1") -> dict[str, Any]:
    return response(user, "discarded", at=f"2026-01-0{at}")


@pytest.mark.parametrize(
    ("responses", "status", "query"),
    [
        ([good("a")], "confirmed", GENERATED),
        ([good("a", query="  how do I  reach the pump ")], "confirmed", GENERATED),
        ([good("a", query="how do I reach the pump?")], "edited", "how do I reach the pump?"),
        ([response("a", query="pump stuck", verdict="fixable")], "edited", "pump stuck"),
        ([response("a", query=GENERATED, verdict="fixable")], "unfixed", GENERATED),
        ([response("a", query="better", verdict="bad")], "rejected", GENERATED),
        ([discarded("a")], "rejected", GENERATED),
        # A majority decides, whoever came last.
        ([good("a", "1"), good("b", "2"), bad("c", "3")], "confirmed", GENERATED),
        ([bad("a", "1"), discarded("b", "2"), good("c", "3", query="mine")], "rejected", GENERATED),
        # Without one, the most recent does.
        ([bad("a", "1"), good("b", "2", query="mine")], "edited", "mine"),
        ([good("b", "1", query="mine"), bad("a", "2")], "rejected", GENERATED),
        ([good("a", "1", query="one"), good("b", "2", query="two")], "edited", "two"),
        # Of the words, a majority among those who keep the query.
        ([good("a", "1", query="one"), good("b", "2", query="one"), good("c", "3", query="two"), bad("d", "4")], "edited", "one"),
        ([good("a", "1"), good("b", "2"), good("c", "3", query="two")], "confirmed", GENERATED),
    ],
)
def test_several_answers_become_one(responses: list[dict[str, Any]], status: str, query: str) -> None:
    found = reconcile(answered(*responses)).annotation
    assert (found.status, found.query) == (status, query)


def test_drafts_are_nobodys_answer_yet() -> None:
    assert parse_responses([raw_record(response("a", "draft", query="half a", verdict="bad"))], "dataset", QUESTION_IDS) == []
    found = reconcile(answered(good("a"), response("b", "draft", query="half a", verdict="bad"))).annotation
    assert (found.status, found.agreement) == ("confirmed", 1.0)


def test_the_negative_is_what_people_left_of_it() -> None:
    assert reconcile(answered(good("a", negative=" the valve "))).annotation.negative_query == "the valve"
    assert reconcile(answered(good("a"))).annotation.negative_query is None
    assert reconcile(answered(good("a", "1", negative="x"), good("b", "2", negative="y"))).annotation.negative_query == "y"


def test_people_have_pseudonyms_that_stay() -> None:
    found = reconcile(answered(good("alice-id"), good("bob-id"))).annotation
    assert found.annotators.split() == sorted([pseudonym("dataset", "alice-id"), pseudonym("dataset", "bob-id")])
    assert "alice" not in found.annotators and pseudonym("other", "alice-id") not in found.annotators


def test_a_disagreement_is_listed_with_what_each_said() -> None:
    assert reconcile(answered(good("a"), good("b"))).disagreement is None
    found = reconcile(answered(good("a", "1"), good("b", "2"), good("c", "3", query="mine")))
    assert found.annotation.agreement == pytest.approx(2 / 3, abs=1e-4)
    assert found.disagreement is not None
    assert [(said.outcome, said.query) for said in found.disagreement.answers] == [
        ("confirmed", ""),
        ("confirmed", ""),
        ("edited", "mine"),
    ]


@pytest.mark.parametrize(
    ("text", "queries"),
    [
        ("", ()),
        ("pump stuck\n\n  pump   stuck \n- lamp off", ("pump stuck", "lamp off")),
        ("1. first\n2) second\n* third\n• fourth", ("first", "second", "third", "fourth")),
        ("404 not found\n-5 degrees\n3.5 mm", ("404 not found", "-5 degrees", "3.5 mm")),
        ("ポンプ\r\nمضخة\u2028🎉", ("ポンプ", "مضخة", "🎉")),
        ("x" * 2_001, ()),
    ],
)
def test_own_queries_are_one_per_line(text: str, queries: tuple[str, ...]) -> None:
    assert split_queries(text) == queries


def test_own_queries_count_once_per_chunk_with_everyone_who_wrote_them() -> None:
    found = reconcile(
        answered(good("a", "1", own_queries="Pump stuck?\nother"), good("b", "2", own_queries="pump stuck"))
    ).own_queries
    merged = {item.query: item for item in merge_own_queries(found)}
    assert set(merged) == {"Pump stuck?", "other"}
    assert len(merged["Pump stuck?"].annotators.split()) == 2
    assert all(item.status == "human" and item.chunk_id == "c1" for item in merged.values())


def test_a_discarded_record_gives_no_own_queries() -> None:
    assert reconcile(answered(response("a", "discarded", own_queries="half a thought"))).own_queries == []


def test_agreement_is_krippendorffs() -> None:
    """Four records, two people; values a a, a a, b b, a b: observed 2*1/8, expected 2*5*3/(8*7)."""
    records = [
        answered(good("x"), good("y")),
        answered(good("x"), good("y")),
        answered(bad("x"), bad("y")),
        answered(good("x"), bad("y")),
        answered(good("x")),
    ]
    found = measure_agreement(records)
    assert found.records == 4 and found.pairwise == 0.75
    assert found.alpha == pytest.approx(1 - (2 / 8) / (30 / 56), abs=1e-4)
    assert measure_agreement([answered(good("x"))]) == Agreement(records=0, pairwise=None, alpha=None)
