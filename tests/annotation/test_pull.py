from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finetrieve.annotation.human_eval_sets import collect_human_queries, dataset_of, write_eval_set
from finetrieve.annotation.pull import current_chunks, from_records
from finetrieve.annotation.responses import ReviewedRecord, parse_responses
from finetrieve.annotation.sanitize_markdown import sanitize_markdown
from finetrieve.core.errors import InputError
from finetrieve.evaluation.eval_sets import check_eval_set, read_questions
from finetrieve.evaluation.settings import EvalSetSettings
from tests.annotation.rows import QUESTION_IDS, chunk, raw_record, response

TEXT = "Open cover 3 to reach the pump. Turn the pump by hand first, then switch it on again."


def record(*responses: dict[str, Any], text: str = TEXT, **rest: Any) -> ReviewedRecord:
    raw = raw_record(*responses, **rest)
    raw["fields"]["chunk"] = sanitize_markdown(text)
    [found] = parse_responses([raw], "dataset", QUESTION_IDS)
    return found


def submitted(user: str = "a", **values: str) -> dict[str, Any]:
    return response(user, **{"query": "how do I reach the pump", "verdict": "good", **values})


def test_an_answer_goes_with_its_chunk_when_the_document_is_edited() -> None:
    edited = chunk("new", TEXT.replace("by hand", "with your hand"))
    other = chunk("other", "Something about valves that shares hardly a word with it.")
    assert current_chunks([record(submitted())], [other, edited]) == {"t1": ("new",)}


def test_an_answer_about_text_that_is_gone_stays_where_it_was() -> None:
    elsewhere = chunk("new", TEXT, doc_id="valve.md")
    rewritten = chunk("other", "Something about valves that shares hardly a word with it.")
    assert current_chunks([record(submitted())], [elsewhere, rewritten]) == {"t1": ("c1",)}


def test_an_answer_goes_with_every_chunk_that_its_query_needs() -> None:
    valve = "Turn the valve to the right until it stands still."
    places = {"further_chunk_ids": "v1", "further_doc_ids": '["the valve.md"]'}
    answered = record(submitted(own_queries="pump and valve"), text=f"{TEXT}\n\n---\n\n{valve}", **places)
    today = [chunk("p2", TEXT.replace("by hand", "with your hand")), chunk("v2", f"{valve} Wait.", "the valve.md")]
    found = from_records([answered], "docs", 1, today)
    assert {row.status: row.chunk_ids for row in found.annotations} == {"confirmed": ("p2", "v2"), "human": ("p2", "v2")}
    [query] = collect_human_queries([answered], {"pump.md", "the valve.md"})
    assert query.doc_ids == ("pump.md", "the valve.md") and collect_human_queries([answered], {"pump.md"}) == []


def test_the_report_counts_what_was_done_by_whom() -> None:
    records = [
        record(submitted("a"), external_id="t1"),
        record(submitted("a", query="pump stuck"), submitted("b", query="pump stuck"), external_id="t2"),
        record(response("b", "discarded"), external_id="t3"),
        record(submitted("b", own_queries="leak\nwater on the floor"), external_id="t4"),
    ]
    found = from_records(records, "docs", 10, [chunk("c1", TEXT)])
    report = found.report.as_json()
    assert (report["records"], report["reviewed"], report["human_queries"]) == (10, 4, 2)
    assert report["outcomes"] == {"confirmed": 2, "edited": 1, "rejected": 1}
    assert [(person["answers"], person["outcomes"]) for person in report["annotators"]] == [
        (3, {"confirmed": 1, "edited": 1, "human": 2, "rejected": 1}),
        (2, {"confirmed": 1, "edited": 1}),
    ]
    assert report["edits"] == [{"place": "The pump > Repair", "before": "how do I reach the pump", "after": "pump stuck"}]
    assert (report["chunk_gone"], report["chunk_changed"]) == (0, 0)
    assert len(found.annotations) == 6


def test_the_same_answers_give_the_same_result_in_whatever_order_the_server_lists_them() -> None:
    records = [record(submitted("a", query=f"q{number}"), external_id=f"t{number}") for number in range(4)]
    assert from_records(records, "docs", 4, [chunk()]) == from_records(records[::-1], "docs", 4, [chunk()])


# People's own queries as an evaluation set.


def test_own_queries_become_a_set_that_evaluation_reads(tmp_path: Path) -> None:
    records = [
        record(submitted("a", own_queries="Water on the floor?\nleak"), external_id="t1"),
        record(submitted("b", own_queries="water on the floor"), external_id="t2", doc_id="valve.md"),
        record(submitted("b", own_queries="about a page that is gone"), external_id="t3", doc_id="gone.md"),
    ]
    queries = collect_human_queries(records, {"pump.md", "valve.md"})
    folder = write_eval_set(queries, "docs", tmp_path)
    settings = EvalSetSettings(path=folder)
    check_eval_set(settings, ["pump.md", "valve.md"])
    assert sorted(read_questions(settings).values()) == ["Water on the floor?", "leak"]
    judged = (folder / "qrels" / "test.tsv").read_text()
    assert judged.count("pump.md") == 2 and judged.count("valve.md") == 1
    assert write_eval_set(queries, "docs", tmp_path) == folder
    assert write_eval_set(queries[:1], "docs", tmp_path) != folder


def test_a_set_without_queries_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no queries of people's own") as caught:
        write_eval_set([], "docs", tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_set_in_argilla_is_told_from_a_folder() -> None:
    assert dataset_of(Path("argilla:my docs")) == "my docs"
    assert dataset_of(Path("questions")) is None


def test_questions_survive_as_json(tmp_path: Path) -> None:
    queries = collect_human_queries([record(submitted(own_queries='"quoted" 日本語 مرحبا 🎉'))], {"pump.md"})
    [line] = (write_eval_set(queries, "d", tmp_path) / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["text"] == '"quoted" 日本語 مرحبا 🎉'
