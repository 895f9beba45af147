"""What people do with Argilla's own SDK, against the embedded server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.annotation_server import Client, make_annotator, make_dataset, make_records, push, submit
from finetrieve.annotation.client import Connection

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

COUNT = 30


@pytest.fixture(scope="module")
def rg() -> Any:
    import argilla

    return argilla


@pytest.fixture(scope="module")
def client(rg: Any, server: Connection) -> Any:
    return rg.Argilla(api_url=server.url, api_key=server.api_key)


@pytest.fixture(scope="module")
def dataset(rg: Any, client: Any, server: Connection) -> Iterator[Any]:
    """Returns a dataset of 30 records with everything a record can have."""
    settings = rg.Settings(
        guidelines="# Hello",
        fields=[rg.TextField("text", use_markdown=True), rg.ChatField("chat", required=False), rg.CustomField("extra", template="<p>", required=False)],
        questions=[
            rg.TextQuestion("query"),
            rg.LabelQuestion("verdict", labels=["good", "bad"]),
            rg.MultiLabelQuestion("topics", labels=["a", "b", "c"], required=False),
            rg.RatingQuestion("rating", values=[1, 2, 3], required=False),
        ],
        metadata=[rg.TermsMetadataProperty("style"), rg.IntegerMetadataProperty("tokens"), rg.FloatMetadataProperty("share")],
        vectors=[rg.VectorField("place", dimensions=3)],
    )  # fmt: skip
    made = rg.Dataset(name="flows", workspace=server.workspace, settings=settings, client=client)
    made.create()
    made.records.log(
        [
            rg.Record(
                id=f"r{number}",
                fields={
                    "text": text_of(number),
                    "chat": [{"role": "user", "content": f"chat {number}"}],
                    "extra": {"k": f"v{number}"},
                },
                metadata={"style": ["short", "long"][number % 2], "tokens": number, "share": number / COUNT},
                vectors={"place": [1.0, number / COUNT, 0.0]},
                suggestions=[
                    rg.Suggestion("query", f"what is {number}?", agent="rules", score=number / COUNT),
                    rg.Suggestion("verdict", "good" if number < 10 else "bad", agent="judge"),
                    rg.Suggestion("topics", ["a", "b"] if number == 3 else ["c"]),
                ],
            )
            for number in range(COUNT)
        ]
    )
    yield made
    made.delete()  # a worker that is given more of these tests later makes it again


def text_of(number: int) -> str:
    return {7: "die Größe der 数据库 🚀", 8: "a line\nbreak", 9: 'quotes " and \\ back'}.get(
        number, f"plain text number {number}"
    )


def ids(found: Any) -> list[str]:
    return sorted((item[0] if isinstance(item, tuple) else item).id for item in found)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("größe", ["r7"]),
        ("数据", ["r7"]),
        ("🚀", ["r7"]),
        ("break", ["r8"]),
        ('"a line break"', ["r8"]),
        ("quotes back", ["r9"]),
        ("number 12 | break", ["r12", "r8"]),
        ("v5", ["r5"]),
    ],
)
def test_text_search(rg: Any, dataset: Any, query: str, expected: list[str]) -> None:
    assert ids(dataset.records(rg.Query(query=query))) == expected


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([("metadata.style", "==", "long"), ("metadata.tokens", "<=", 5)], [1, 3, 5]),
        ([("metadata.style", "in", ["short", "long"]), ("metadata.share", ">=", 28 / COUNT)], [28, 29]),
        ([("verdict.suggestion", "==", "good"), ("metadata.tokens", ">=", 8)], [8, 9]),
        ([("topics.suggestion", "in", ["a"])], [3]),
        ([("query.score", ">=", 28.5 / COUNT)], [29]),
        ([("query.agent", "==", "rules"), ("metadata.tokens", "==", 4)], [4]),
        ([("query.agent", "==", "nobody")], []),
        ([("id", "in", ["r4", "r5", "r99"])], [4, 5]),
    ],
)
def test_filters(rg: Any, dataset: Any, conditions: list[tuple[str, str, Any]], expected: list[int]) -> None:
    found = dataset.records(rg.Query(filter=rg.Filter(conditions)))
    assert ids(found) == sorted(f"r{number}" for number in expected)


def test_sorting_puts_records_without_a_value_last(rg: Any, dataset: Any, server: Connection) -> None:
    body = {"sort": [{"scope": {"entity": "metadata", "metadata_property": "tokens"}, "order": "desc"}]}
    rest = Client(server.url, server.api_key)
    path = f"/datasets/{dataset.id}/records"
    rest.call("PUT", f"{path}/bulk", {"items": [{"external_id": "none", "fields": {"text": "no metadata"}}]})
    for order in ("desc", "asc"):
        body["sort"][0]["order"] = order
        found = [item["record"]["external_id"] for item in rest.call("POST", f"{path}/search", body, limit=100)["items"]]
        expected = [f"r{number}" for number in range(COUNT)]
        assert found == [*(reversed(expected) if order == "desc" else expected), "none"]
    [extra] = [record for record in dataset.records if record.id == "none"]
    dataset.records.delete([extra])
    assert len(list(dataset.records)) == COUNT


def test_similarity(rg: Any, dataset: Any) -> None:
    def nearest(**similar: Any) -> list[str]:
        query = rg.Query(similar=rg.Similar("place", **similar))
        return [record.id for record, _ in dataset.records(query, limit=3)]

    assert nearest(value=[1.0, 0.0, 0.0]) == ["r0", "r1", "r2"]
    assert nearest(value=[1.0, 0.0, 0.0], most_similar=False) == ["r29", "r28", "r27"]
    [record] = [record for record in dataset.records if record.id == "r10"]
    assert set(nearest(value=record)) <= {"r8", "r9", "r11", "r12"}
    dataset.records.log([rg.Record(id="r29", fields={"text": text_of(29)}, vectors={"place": [1.0, 0.0, 0.0]})])
    assert set(nearest(value=[1.0, 0.0, 0.0])[:2]) == {"r0", "r29"}, "a vector that changed is found where it is now"
    dataset.records.log([rg.Record(id="r29", fields={"text": text_of(29)}, vectors={"place": [1.0, 29 / COUNT, 0.0]})])


def test_a_vector_of_another_length_is_refused(rg: Any, dataset: Any, server: Connection) -> None:
    owner = Client(server.url, server.api_key)
    body = {"query": {"vector": {"name": "place", "value": [1.0, 2.0]}}}
    answer = owner.http.post(f"/datasets/{dataset.id}/records/search", json=body)
    assert (answer.status_code, "vector of 3 numbers, found 2" in answer.text) == (422, True)


def test_updates_suggestions_and_export(rg: Any, dataset: Any) -> None:
    [record] = [record for record in dataset.records if record.id == "r2"]
    record.metadata["style"] = "changed"
    record.suggestions.add(rg.Suggestion("query", "new words?", agent="person", score=1.0))
    dataset.records.log([record])
    assert ids(
        dataset.records(rg.Query(filter=rg.Filter([("metadata.style", "==", "changed"), ("query.agent", "==", "person")])))
    ) == ["r2"]
    rows = dataset.records(with_suggestions=True, with_vectors=True).to_list(flatten=True)
    [row] = [row for row in rows if row["id"] == "r2"]
    assert row["query.suggestion"] == "new words?"
    assert row["place"] == pytest.approx([1.0, 2 / COUNT, 0.0])


def test_responses_status_progress_and_the_background_job(rg: Any, dataset: Any, server: Connection) -> None:
    owner = Client(server.url, server.api_key)
    path = f"/datasets/{dataset.id}"
    at = {"id": str(dataset.id), "workspace_id": owner.call("GET", path)["workspace_id"]}
    one, two = (make_annotator(owner, server, at, name) for name in ("one", "two"))
    records = {record.id: str(record._server_id) for record in dataset.records}
    for name in ("r20", "r21"):
        assert submit(one, records[name]).status_code == 201
    assert submit(two, records["r20"]).status_code == 201
    assert submit(two, records["r20"]).status_code == 409, "one response per person"
    two.http.post(f"/records/{records['r22']}/responses", json={"status": "discarded", "values": {}})

    assert owner.call("GET", f"{path}/progress") | {"users": 0} == {"total": 30, "completed": 2, "pending": 28, "users": 0}
    metrics = two.call("GET", f"/me{path}/metrics")["responses"]
    assert metrics == {"total": 30, "submitted": 1, "discarded": 1, "draft": 0, "pending": 28}
    assert ids(dataset.records(rg.Query(filter=rg.Filter([("status", "==", "completed")])))) == ["r20", "r21"]
    assert ids(dataset.records(rg.Query(filter=rg.Filter([("response.status", "==", "discarded")])))) == ["r22"]
    assert ids(dataset.records(rg.Query(filter=rg.Filter([("verdict.response", "==", "good")])))) == ["r20", "r21"]
    pending = {"type": "terms", "scope": {"entity": "response", "property": "status"}, "values": ["pending"]}
    totals = [member.call("POST", f"/me{path}/records/search", {"filters": {"and": [pending]}})["total"] for member in (one, two)]
    assert totals == [28, 28]

    owner.call("PATCH", path, {"distribution": {"strategy": "overlap", "min_submitted": 2}})  # statuses follow in the background
    end = time.monotonic() + 20
    while owner.call("GET", f"{path}/progress")["completed"] != 1 and time.monotonic() < end:
        time.sleep(0.2)
    assert owner.call("GET", f"{path}/progress")["completed"] == 1


def test_two_people_get_the_queue_in_orders_of_their_own_that_stay(server: Connection) -> None:
    owner = Client(server.url, server.api_key)
    dataset = make_dataset(owner, str(server.workspace), "queues")
    records = make_records(60)
    for record in records:
        record["metadata"]["usefulness"] = 0.9 if record["metadata"]["recipe"] == "a" else 0.1
    push(owner, dataset, records)

    def queue(member: Client) -> list[str]:
        found = member.call("POST", f"/me/datasets/{dataset['id']}/records/search", {}, limit=100)["items"]
        return [item["record"]["external_id"] for item in found]

    one, two = (make_annotator(owner, server, dataset, f"queue{number}") for number in range(2))
    assert queue(one) == queue(one) != queue(two)
    useful = {record["external_id"] for record in records if record["metadata"]["recipe"] == "a"}
    for member in (one, two):
        assert set(queue(member)[: len(useful)]) == useful, "the most useful come first"


def test_a_webhook_that_is_switched_on_hears_of_new_records(server: Connection) -> None:
    """The events are only put together when somebody listens: here somebody does."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    heard: list[bytes] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["content-length"])))
            # The first delivery fails: it is tried again.
            self.send_response(500 if len(heard) == 1 else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    listener = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    owner = Client(server.url, server.api_key)
    dataset = make_dataset(owner, str(server.workspace), "heard")
    url = f"http://127.0.0.1:{listener.server_port}/"
    webhook = owner.call("POST", "/webhooks", {"url": url, "events": ["record.created"], "description": "test"})
    try:
        push(owner, dataset, make_records(3))
        end = time.monotonic() + 30
        while len(heard) < 4 and time.monotonic() < end:
            time.sleep(0.1)
    finally:
        owner.http.delete(f"/webhooks/{webhook['id']}")
        listener.shutdown()
    assert len(heard) == 4, "three records, of which the first was delivered twice"
    assert all(b"record.created" in body for body in heard)


def test_a_text_of_a_megabyte_and_every_script_come_back_as_they_were(server: Connection) -> None:
    owner = Client(server.url, server.api_key)
    dataset = make_dataset(owner, str(server.workspace), "texts")
    texts = [
        "x" * 1_000_000,
        "🧑‍🚀 שלום مرحبا 你好 \u202e reversed",
        "<script>alert(1)</script>",
        "tab\tnull \\u0041 \x1f",
        "\U0001f600" * 10,
    ]
    push(owner, dataset, [{"external_id": str(number), "fields": {"chunk": text}} for number, text in enumerate(texts)])
    records = owner.call("GET", f"/datasets/{dataset['id']}/records", limit=10)["items"]
    assert {record["external_id"]: record["fields"]["chunk"] for record in records} == {
        str(n): text for n, text in enumerate(texts)
    }
