"""Push, people's answers and pull, against a real Argilla server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finetrieve.annotation.client import Connection, Server, find_dataset, find_workspace, read_records
from finetrieve.annotation.connection import connect_embedded
from finetrieve.annotation.dataset import ensure_dataset, question_ids
from finetrieve.annotation.pull import pull
from finetrieve.annotation.push import push
from finetrieve.annotation.records import Record, make_record, make_records, render_chunk
from finetrieve.annotation.review import review
from finetrieve.app.argilla_inputs import ENOUGH, check_named_server, with_argilla_sets
from finetrieve.app.config import Config
from finetrieve.argilla_server import server_status
from finetrieve.core.annotation_report import PushReport
from finetrieve.core.errors import InputError
from finetrieve.core.rows import Annotation, QueryFacts
from finetrieve.evaluation.eval_sets import read_questions
from finetrieve.evaluation.pair_sets import generated_eval_set
from finetrieve.training.settings import SplitSettings
from finetrieve.training.split import split_pairs
from tests.annotation.rows import chunk, triplet

pytestmark = pytest.mark.slow

DIMENSIONS = 4
NOBODY_LISTENS = lambda _label: lambda _done, _total: None  # noqa: E731


def records(numbers: Sequence[int], text: str = "Open cover {} to reach it.", **rest: Any) -> list[Record]:
    """Returns a record per number, each about a chunk of its own, the first the most useful."""
    generator = np.random.default_rng(13)
    made = []
    for number in numbers:
        of = chunk(f"c{number}", text.format(number))
        negative = 0.4 if rest.get("negative_query") else None
        facts = QueryFacts(f"t{number}", "train", 0.5, negative, negative, round(1 - number / 10_000, 4), "spot check")
        vectors = generator.normal(size=(2, DIMENSIONS)).astype(np.float32)
        made.append(
            make_record(
                triplet(f"t{number}", f"how do I reach part {number}", of.id, **rest), of, facts, *vectors, render_chunk(of)
            )
        )
    return made


class Bench:
    """A dataset on a real server, and what tests do with it."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name = server, name
        self.workspace = find_workspace(server)
        self.dataset = ensure_dataset(server, self.workspace, name, DIMENSIONS, 1)

    def push(self, rows: Sequence[Record], gone_chunks: Sequence[str] = ()) -> PushReport:
        chunks = {row.chunk_id for row in rows} - set(gone_chunks)
        return push(self.server, self.dataset, rows, {row.external_id for row in rows}, chunks, NOBODY_LISTENS)

    def there(self, *include: str) -> dict[str, dict[str, Any]]:
        found = read_records(self.server, self.dataset["id"], include, lambda _done, _total: None)
        return {record["external_id"]: record for record in found}

    def answer(self, external_id: str, status: str = "submitted", **values: str) -> None:
        record = self.there()[external_id]
        body = {"status": status, "values": {name: {"value": value} for name, value in values.items()} or None}
        self.server.request("POST", f"/records/{record['id']}/responses", body)

    def pull(self, *chunk_ids: str) -> dict[str, Annotation]:
        chunks = [chunk(chunk_id) for chunk_id in chunk_ids]
        return {row.id: row for row in pull(self.server, self.workspace, self.name, chunks, NOBODY_LISTENS).annotations}


@pytest.fixture
def bench(server: Connection, server_home: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A dataset of the test's own; the server is started again where a test ended it."""
    with Server(connect_embedded(server_home), reconnect=lambda: connect_embedded(server_home)) as found:
        yield Bench(found, request.node.name[:100])


def test_a_push_adds_updates_keeps_and_withdraws(bench: Bench) -> None:
    # 1. Everything is new; pushing it again is no work.
    counts = [name for name, field in PushReport.model_fields.items() if field.is_required()]
    assert bench.push(records(range(20))).as_json() == {**dict.fromkeys(counts, 0), "added": 20}
    again = bench.push(records(range(20)))
    assert (again.changes, again.unchanged) == (0, 20)

    # 2. People answer: submit, discard, and keep a draft.
    bench.answer("t1", query="mine", verdict="fixable")
    bench.answer("t2", "discarded")
    bench.answer("t3", "draft", query="half")
    bench.answer("t4", query="how do I reach part 4", verdict="good")

    # 3. The text changes under all of them, two chunks go (one of them answered), and one query is no longer generated.
    changed = records([number for number in range(20) if number not in (4, 5, 6)], text="Open the new cover {} to reach it.")
    report = bench.push(changed)
    assert report.updated == 14 and report.kept_because_touched == 3
    assert (report.withdrawn_chunk_gone, report.gone_but_touched) == (2, 1)
    found = bench.there("responses", "suggestions")
    assert set(found) == {f"t{number}" for number in range(20)} - {"t5", "t6"}
    assert found["t7"]["fields"]["chunk"] == "Open the new cover 7 to reach it."
    assert found["t1"]["fields"]["chunk"] == "Open cover 1 to reach it."
    assert found["t1"]["responses"][0]["values"]["query"]["value"] == "mine"
    assert {name: record["responses"][0]["status"] for name, record in found.items() if record["responses"]} == {
        "t1": "submitted",
        "t2": "discarded",
        "t3": "draft",
        "t4": "submitted",
    }

    # 4. The pull has the submitted and the discarded one; the draft is nobody's answer yet.
    pulled = bench.pull("c1", "c2", "c3", "c4")
    assert {name: (row.status, row.query) for name, row in pulled.items()} == {
        "t1": ("edited", "mine"),
        "t2": ("rejected", "how do I reach part 2"),
        "t4": ("confirmed", "how do I reach part 4"),
    }


def test_a_query_that_is_no_longer_generated_is_withdrawn_unless_somebody_answered(bench: Bench) -> None:
    bench.push(records(range(4)))
    bench.answer("t0", query="mine", verdict="good")
    rows = records(range(4))
    report = push(bench.server, bench.dataset, rows[3:], {"t3"}, {row.chunk_id for row in rows}, NOBODY_LISTENS)
    assert (report.withdrawn_query_gone, report.gone_but_touched, report.unchanged) == (2, 1, 1)
    assert set(bench.there()) == {"t0", "t3"}


def test_a_negative_comes_and_goes_with_its_query(bench: Bench) -> None:
    bench.push(records([1], negative_query="how do I reach the valve"))
    ids = question_ids(bench.server, bench.dataset)
    assert {item["question_id"] for item in bench.there("suggestions")["t1"]["suggestions"]} == {ids["query"], ids["negative"]}
    assert bench.push(records([1])).updated == 1
    assert {item["question_id"] for item in bench.there("suggestions")["t1"]["suggestions"]} == {ids["query"]}


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script> <b>bold</b>", "日本語 🎉 مرحبا بالعالم", "x" * 1_000_000, "a\x00b\ud800"],
    ids=["html", "scripts", "1 MB", "control"],
)
def test_any_text_arrives(bench: Bench, text: str) -> None:
    bench.push(records([1], text=text.replace("{", "").replace("}", "")))
    shown = bench.there()["t1"]["fields"]["chunk"]
    assert len(shown) >= len(text) and "<script>" not in shown


def test_own_queries_of_any_script_come_back(bench: Bench) -> None:
    bench.push(records([1]))
    bench.answer(
        "t1", query="how do I reach part 1", verdict="good", own_queries="- ポンプが動かない\n- مضخة 🎉\n\n" + "y" * 2_000
    )
    own = [row.query for row in bench.pull("c1").values() if row.status == "human"]
    assert sorted(own) == sorted(["ポンプが動かない", "مضخة 🎉", "y" * 2_000])


def test_a_dataset_with_another_schema_is_left_alone_and_the_difference_named(bench: Bench) -> None:
    other = bench.server.request(
        "POST",
        "/datasets",
        {"name": f"{bench.name} other", "workspace_id": bench.workspace["id"], "allow_extra_metadata": False},
    )
    place = f"/datasets/{other['id']}"
    field = {"name": "anchor", "title": "Anchor", "required": True, "settings": {"type": "text"}}
    question = {
        "name": "query",
        "title": "Q",
        "required": True,
        "settings": {"type": "rating", "options": [{"value": 1}, {"value": 2}]},
    }
    bench.server.request("POST", f"{place}/fields", field)
    bench.server.request("POST", f"{place}/questions", question)
    bench.server.request("PUT", f"{place}/publish")
    with pytest.raises(InputError) as caught:
        ensure_dataset(bench.server, bench.workspace, other["name"], DIMENSIONS, 1)
    message = str(caught.value)
    assert "field 'place' is missing" in message and "field 'anchor' is required and not ours" in message
    assert "question 'query' is rating, expected text" in message and "it allows no extra metadata" in message
    assert "annotation.dataset" in message and len(message.splitlines()) == 1
    assert find_dataset(bench.server, bench.workspace, other["name"]) is not None
    with pytest.raises(InputError, match="has another schema"):
        pull(bench.server, bench.workspace, other["name"], [], NOBODY_LISTENS)


def test_vectors_of_another_size_are_told_before_anything_is_sent(bench: Bench) -> None:
    with pytest.raises(InputError, match=f"'chunk-vector' has {DIMENSIONS} numbers, the base model makes 768"):
        ensure_dataset(bench.server, bench.workspace, bench.name, 768, 1)


def test_a_dataset_whose_making_was_cut_off_is_finished(bench: Bench) -> None:
    body = {"name": f"{bench.name} cut off", "workspace_id": bench.workspace["id"], "allow_extra_metadata": True}
    bench.server.request("POST", "/datasets", body)
    assert ensure_dataset(bench.server, bench.workspace, body["name"], DIMENSIONS, 1)["status"] == "ready"


def test_a_wrong_key_and_a_wrong_workspace_are_one_line_each(server: Connection) -> None:
    with pytest.raises(InputError, match="does not know the API key"):
        Server(replace(server, api_key="wrong"))
    with Server(replace(server, workspace="nowhere")) as found, pytest.raises(InputError, match="has no workspace 'nowhere'"):
        find_workspace(found)


def test_a_dataset_that_is_not_there_has_no_answers(bench: Bench) -> None:
    assert pull(bench.server, bench.workspace, "no such dataset", [], NOBODY_LISTENS).annotations == []


def test_a_push_goes_on_when_the_server_is_killed_half_way(bench: Bench, server_home: Path) -> None:
    rows, killed = records(range(700)), []

    def killing(label: str) -> Any:
        def on_progress(done: int, total: int) -> None:
            if label == "Records sent" and not killed and done < total:
                killed.append(server_status(server_home).pid)
                os.kill(killed[0], signal.SIGKILL)
                ends = time.monotonic() + 10
                while server_status(server_home).running and time.monotonic() < ends:
                    time.sleep(0.02)

        return on_progress

    query_ids, chunk_ids = {row.external_id for row in rows}, {row.chunk_id for row in rows}
    report = push(bench.server, bench.dataset, rows, query_ids, chunk_ids, killing)
    assert killed and report.added == 700
    assert set(bench.there()) == query_ids
    assert bench.push(rows).changes == 0


def test_own_queries_become_an_evaluation_set_by_themselves_once_there_are_enough(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "pump.md").write_text("# The pump\n\nOpen cover 1 to reach it.\n")
    monkeypatch.delenv("ARGILLA_API_URL", raising=False)
    monkeypatch.setenv("ARGILLA_URL", bench.server.url)
    monkeypatch.setenv("ARGILLA_API_KEY", bench.server.connection.api_key)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    block = {"dataset": bench.name, "human_queries": "evaluate", "workspace": bench.server.connection.workspace}
    config = Config.model_validate({"source": {"name": "folder", "path": str(docs)}, "annotation": block})
    check_named_server("retrain", config)
    bench.push(records([1, 2]))

    bench.answer(
        "t1", query="how do I reach part 1", verdict="good", own_queries="\n".join(f"question {n}" for n in range(ENOUGH - 1))
    )
    assert with_argilla_sets("retrain", config).evaluation.eval_sets == []

    bench.answer("t2", query="how do I reach part 2", verdict="good", own_queries="one more")
    assert with_argilla_sets("generate", config).evaluation.eval_sets == []
    [found] = with_argilla_sets("retrain", config).evaluation.eval_sets
    assert found.label == f"argilla:{bench.name}" and len(read_questions(found)) == ENOUGH


def test_a_named_server_is_checked_before_the_work(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARGILLA_API_URL", raising=False)
    monkeypatch.setenv("ARGILLA_URL", bench.server.url)
    monkeypatch.setenv("ARGILLA_API_KEY", bench.server.connection.api_key)
    block = {"dataset": bench.name, "workspace": "nowhere"}
    config = Config.model_validate({"source": {"name": "folder", "path": "docs"}, "annotation": block})
    with pytest.raises(InputError, match="has no workspace 'nowhere'"):
        check_named_server("retrain", config)
    check_named_server("evaluate", config)
    check_named_server("retrain", config.model_copy(update={"annotation": None}))


def test_an_edited_question_of_several_chunks_keeps_all_of_them_into_training_and_the_qrels(bench: Bench) -> None:
    # 1. A question of two chunks of two documents, one of which has a line of its own like the one between the chunks.
    chunks = {
        "c1": chunk("c1", "Open cover 1.\n\n---\n\nIt is behind the filter.", "pump.md"),
        "c2": chunk("c2", "The valve is shut by turning it to the right, then the cover is closed again.", "the valve.md"),
    }
    row = triplet("t1", "how do I reach the pump and shut the valve", "c1", further_chunk_ids="c2")
    vector = np.array([1, 0, 0, 0], np.float32)
    facts = QueryFacts("t1", "train", 0.5, None, None, 0.9, "spot check")
    bench.push(make_records([facts], {"t1": row}, chunks, {"c1": vector}, {"t1": vector}))
    bench.answer("t1", query="reach the pump, then shut the valve?", verdict="fixable", own_queries="pump and valve")

    # 2. The second document is edited, and the question is not generated any more.
    moved = replace(chunks["c2"], id="c3", text=chunks["c2"].text.replace("then", "and then"))
    corpus = [chunks["c1"], moved]
    pulled = pull(bench.server, bench.workspace, bench.name, corpus, NOBODY_LISTENS)
    assert {row.status: row.chunk_ids for row in pulled.annotations} == {"edited": ("c1", "c3"), "human": ("c1", "c3")}
    assert (pulled.report.chunk_changed, pulled.report.chunk_gone) == (1, 0)

    # 3. What is trained and evaluated on has both.
    reviewed = review([], pulled.annotations, {row.id for row in corpus})
    result = split_pairs(reviewed.triplets, corpus, SplitSettings(), groups={}, provenance=reviewed.provenance)
    positives = {(pair.provenance, pair.chunk_id) for pair in result.pairs}
    assert positives == {(status, chunk_id) for status in ("edited", "human") for chunk_id in ("c1", "c3")}
    found = generated_eval_set(result.pairs, corpus, result.pairs[0].split)
    assert found is not None and all(judged == {"c1": 1, "c3": 1} for judged in found.qrels.values()) and len(found.qrels) == 2

    # 4. Without one of its chunks it has no answer.
    gone = pull(bench.server, bench.workspace, bench.name, [chunks["c1"]], NOBODY_LISTENS)
    assert review([], gone.annotations, {"c1"}).triplets == [] and gone.report.chunk_gone == 1
