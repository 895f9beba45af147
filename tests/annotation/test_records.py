from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from finetrieve.annotation.push import BATCH_BYTES, BATCH_RECORDS, ExistingRecord, batches, make_plan, refuse_other_corpus
from finetrieve.annotation.records import Record, as_json, make_record, render_chunk
from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, GeneratedQuery, QueryFacts
from tests.annotation.rows import QUESTION_IDS, chunk, triplet

FACTS = QueryFacts("t1", "train", 0.8, None, None, 0.4, "spot check")
VECTOR = np.array([0.6, 0.8], np.float32)


def record(row: GeneratedQuery | None = None, of: Chunk | None = None, facts: QueryFacts = FACTS) -> Record:
    return make_record(row or triplet("t1"), of or chunk(), facts, VECTOR, VECTOR, render_chunk(of or chunk()))


def existing(found: Record, touched: bool = False, **changes: object) -> ExistingRecord:
    return replace(
        ExistingRecord(f"s-{found.external_id}", found.external_id, found.fingerprint, found.chunk_id, touched), **changes
    )


def test_a_record_has_what_filters_and_sorting_want() -> None:
    row = triplet("t1", round_trip_rank=7, negative_query="how do I reach the valve")
    sent = as_json(record(row, facts=QueryFacts("t1", "dev", 0.8, 0.3, 0.5, 0.4, "rare style")), QUESTION_IDS)
    assert sent["external_id"] == "t1"
    assert sent["metadata"] | {"fingerprint": ""} == {
        "usefulness": 0.4,
        "reason": "rare style",
        "parent_section": "Repair",
        "style": "how_to",
        "recipe": "rules",
        "generator": "rules 3",
        "split": "dev",
        "token_count": 12,
        "round_trip_rank": 7,
        "similarity-anchor-positive": 0.8,
        "similarity-anchor-negative": 0.3,
        "similarity-positive-negative": 0.5,
        "chunk_id": "c1",
        "doc_id": "pump.md",
        "fingerprint": "",
    }
    assert [(item["question_id"], item["value"], item["agent"], item["score"]) for item in sent["suggestions"]] == [
        ("id-query", "how do I reach the pump", "rules 3", 0.8),
        ("id-negative", "how do I reach the valve", "rules 3", 0.3),
    ]
    assert sent["vectors"] == {"chunk-vector": [0.6, 0.8], "query-vector": [0.6, 0.8]}


def test_a_record_without_a_negative_has_no_place_for_one() -> None:
    sent = as_json(record(), QUESTION_IDS)
    assert len(sent["suggestions"]) == 1 and "similarity-anchor-negative" not in sent["metadata"]


@pytest.mark.parametrize(
    ("row", "of", "facts"),
    [
        (triplet("t1", "another query"), None, FACTS),
        (triplet("t1", negative_query="new"), None, FACTS),
        (None, chunk(text="Other text."), FACTS),
        (None, chunk(section="Elsewhere"), FACTS),
        (None, None, replace(FACTS, split="test")),
    ],
)
def test_whatever_a_person_would_see_changes_the_fingerprint(
    row: GeneratedQuery | None, of: Chunk | None, facts: QueryFacts
) -> None:
    assert record(row, of, facts).fingerprint != record().fingerprint
    assert record().fingerprint == record().fingerprint


def test_another_vector_changes_the_fingerprint() -> None:
    assert make_record(triplet("t1"), chunk(), FACTS, VECTOR, -VECTOR, render_chunk(chunk())).fingerprint != record().fingerprint


@pytest.mark.parametrize("text", ["<script>x</script>", "\ud800 lone", "日本語 🎉 مرحبا \u202e", "", "x" * 1_000_000, "a\x00b"])
def test_any_text_can_be_sent(text: str) -> None:
    sent = as_json(
        record(triplet("t1", text or "q", generator=f"model ({text[:300]})"), chunk(text=text, section=text)), QUESTION_IDS
    )
    assert "<script>" not in sent["fields"]["chunk"]
    assert all(value.strip() or value == " " for value in sent["fields"].values())
    assert len(sent["suggestions"][0]["agent"] or "") <= 200
    json.dumps(sent, ensure_ascii=False).encode("utf-8")


# The plan.


def test_a_second_push_of_the_same_changes_nothing() -> None:
    rows = [record(triplet(f"t{number}", f"query {number}")) for number in range(5)]
    plan = make_plan(rows, [existing(row) for row in rows], {row.external_id for row in rows}, {"c1"})
    assert (plan.new, plan.changed, plan.unchanged, plan.chunk_gone, plan.query_gone) == ([], [], 5, [], [])


def test_each_record_goes_where_it_belongs() -> None:
    new, changed, answered, same = (record(triplet(name, f"query {name}")) for name in ("new", "changed", "answered", "same"))
    there = [
        existing(changed, fingerprint="old"),
        existing(answered, touched=True, fingerprint="old"),
        existing(same),
        ExistingRecord("s1", "gone", "f", "no such chunk", touched=False),
        ExistingRecord("s2", "gone too", "f", "no such chunk", touched=True),
        ExistingRecord("s3", "no longer asked", "f", "c1", touched=False),
        ExistingRecord("s4", "beyond max_records", "f", "c1", touched=False),
        ExistingRecord("s5", "made by a person", None, "", touched=False),
    ]
    asked = {"new", "changed", "answered", "same", "beyond max_records"}
    plan = make_plan([new, changed, answered, same], there, asked, {"c1"})
    assert plan.new == [new] and plan.changed == [changed]
    assert (plan.unchanged, plan.changed_but_touched) == (1, 1)
    assert [item.external_id for item in plan.chunk_gone] == ["gone"]
    assert [item.external_id for item in plan.query_gone] == ["no longer asked"]
    assert (plan.gone_but_touched, plan.foreign) == (1, 1)


@pytest.mark.parametrize(("kept", "refused"), [(0, True), (1, True), (3, False), (4, False)])
def test_a_push_stops_before_it_withdraws_another_corpus_and_not_for_deleted_pages(kept: int, refused: bool) -> None:
    there = [ExistingRecord(f"s{n}", f"A{n}", "f", f"chunk{n}", touched=n == 0, doc_id=f"page{n}.md") for n in range(4)]
    documents, chunks = {f"page{n}.md" for n in range(kept)} | {"b.md"}, {f"chunk{n}" for n in range(kept)} | {"chunkB"}
    plan = make_plan([], there, {"B"} | {f"A{n}" for n in range(kept)}, chunks)
    if not refused:
        refuse_other_corpus("shared", plan, there, documents)
        return
    with pytest.raises(InputError, match=r"'shared' holds \d queries about other documents.*withdraw_others: true"):
        refuse_other_corpus("shared", plan, there, documents)


def test_batches_stay_small_in_records_and_in_bytes() -> None:
    short = [record(triplet(f"t{number}")) for number in range(BATCH_RECORDS + 1)]
    assert [len(batch) for batch in batches(short)] == [BATCH_RECORDS, 1]
    long = [record(triplet(f"t{number}"), chunk(text="x" * 1_000_000)) for number in range(5)]
    parts = list(batches(long))
    assert sum(map(len, parts)) == 5
    assert all(len(json.dumps([as_json(row, QUESTION_IDS) for row in part])) <= BATCH_BYTES for part in parts)
