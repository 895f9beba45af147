"""The embedded Argilla server against its targets: `python benchmarks/annotation_server.py [--records 20000] [--kills 20]`.

Everything runs on this machine, in a folder that is removed. Pushes are compared with the same server without its changes for
speed, in the same run, with the SDK's own loop for both. `--records 2000 --kills 3` is a quick look.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from finetrieve.argilla_server import RunningServer, ensure_server, server_status, stop_server  # noqa: E402

Json = dict[str, Any]

DIMENSIONS = 384
BATCH = 250
ANNOTATORS, SUBMISSIONS = 6, 100
WORDS = [f"word{number}" for number in range(3000)] + ["größe", "naïve", "数据库", "поиск"]
PLAIN = "import sys; sys.argv[0] = 'embedded'; from embedded.__main__ import main; sys.exit(main(speed=False))"


class Client:
    """An account on a server, by its REST interface."""

    def __init__(self, url: str, api_key: str) -> None:
        self.http = httpx.Client(base_url=f"{url}/api/v1", headers={"X-Argilla-Api-Key": api_key}, timeout=120, trust_env=False)

    def call(self, method: str, path: str, body: Json | None = None, **parameters: Any) -> Any:
        """Returns the answer's JSON."""
        answer = self.http.request(method, path, json=body, params=parameters)
        answer.raise_for_status()
        return answer.json()


def make_dataset(client: Client, workspace: str, name: str) -> Json:
    """Returns a published dataset with a text question, a label question, metadata and two vectors."""
    [space] = [item for item in client.call("GET", "/me/workspaces")["items"] if item["name"] == workspace]
    body = {"name": name, "workspace_id": space["id"], "allow_extra_metadata": True}
    dataset = client.call("POST", "/datasets", {**body, "distribution": {"strategy": "overlap", "min_submitted": 1}})
    at = f"/datasets/{dataset['id']}"
    field = {"name": "chunk", "title": "Text", "required": True, "settings": {"type": "text", "use_markdown": True}}
    client.call("POST", f"{at}/fields", field)
    labels = [{"value": label, "text": label} for label in ("good", "fixable", "bad")]
    questions = {"query": {"type": "text"}, "verdict": {"type": "label_selection", "options": labels}}
    for question, settings in questions.items():
        client.call("POST", f"{at}/questions", {"name": question, "title": question, "required": True, "settings": settings})
    for metadata, kind in (("recipe", "terms"), ("similarity", "float"), ("usefulness", "float")):
        body = {"name": metadata, "title": metadata, "settings": {"type": kind}, "visible_for_annotators": True}
        client.call("POST", f"{at}/metadata-properties", body)
    for vector in ("chunk-vector", "query-vector"):
        client.call("POST", f"{at}/vectors-settings", {"name": vector, "title": vector, "dimensions": DIMENSIONS})
    published: Json = client.call("PUT", f"{at}/publish")
    return published


def make_records(count: int, first: int = 0) -> list[Json]:
    """Returns made-up records, always the same: about 150 words, two vectors, a suggestion."""
    draw, numbers = random.Random(first), np.random.default_rng(first)
    vectors = numbers.normal(size=(count, 2, DIMENSIONS)).astype(np.float32).astype(float).round(6)
    return [
        {
            "external_id": f"record-{first + number}",
            "fields": {"chunk": " ".join(draw.choices(WORDS, k=150))},
            "metadata": {"recipe": draw.choice("abc"), "similarity": draw.random(), "usefulness": draw.random()},
            "vectors": {"chunk-vector": vectors[number, 0].tolist(), "query-vector": vectors[number, 1].tolist()},
        }
        for number in range(count)
    ]


def push(client: Client, dataset: Json, records: list[Json]) -> None:
    """Sends records in batches."""
    questions = client.call("GET", f"/datasets/{dataset['id']}/questions")["items"]
    [query] = [question["id"] for question in questions if question["name"] == "query"]
    suggestion = {"question_id": query, "value": "how do I do that?", "agent": "rules", "score": 0.5}
    for start in range(0, len(records), BATCH):
        items = [{**record, "suggestions": [suggestion]} for record in records[start : start + BATCH]]
        client.call("PUT", f"/datasets/{dataset['id']}/records/bulk", {"items": items})


def timed(work: Callable[[], Any]) -> float:
    """Returns the seconds that a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def answers(client: Client, dataset: Json) -> dict[str, float]:
    """Returns the seconds of what an annotator's clicks ask for; the worst of three for each but the first similarity."""
    at, page = f"/me/datasets/{dataset['id']}", {"limit": 10, "include": ["suggestions", "responses"]}
    pending = {"type": "terms", "scope": {"entity": "response", "property": "status"}, "values": ["pending"]}
    recipe = {"type": "terms", "scope": {"entity": "metadata", "metadata_property": "recipe"}, "values": ["a", "b"]}
    similar = {"type": "range", "scope": {"entity": "metadata", "metadata_property": "similarity"}, "ge": 0.2, "le": 0.6}
    suggested = {
        "type": "terms",
        "scope": {"entity": "suggestion", "question": "query", "property": "agent"},
        "values": ["rules"],
    }
    order = [{"scope": {"entity": "metadata", "metadata_property": "similarity"}, "order": "asc"}]
    bodies: dict[str, Json] = {
        "queue page": {"filters": {"and": [pending]}},
        "filter on metadata": {"filters": {"and": [pending, recipe, similar]}},
        "filter on suggestions": {"filters": {"and": [pending, suggested]}},
        "sort by metadata": {"filters": {"and": [pending]}, "sort": order},
        "text search": {"query": {"text": {"q": "word7 word9"}}, "filters": {"and": [pending]}},
        "text search, CJK": {"query": {"text": {"q": "数据 | größe"}}, "filters": {"and": [pending]}},
    }
    found: Json = client.call("POST", f"{at}/records/search", bodies["queue page"], **page)
    near = {"query": {"vector": {"name": "chunk-vector", "record_id": found["items"][0]["record"]["id"]}}}
    seconds = {"similarity, first": timed(lambda: client.call("POST", f"{at}/records/search", near, **page))}
    bodies["similarity"] = near
    bodies["similarity, filtered"] = {**near, "filters": {"and": [pending, recipe]}}
    for name, body in bodies.items():
        seconds[name] = max(timed(lambda body=body: client.call("POST", f"{at}/records/search", body, **page)) for _ in range(3))  # type: ignore[misc]
    seconds["progress"] = max(timed(lambda: client.call("GET", f"/datasets/{dataset['id']}/progress")) for _ in range(3))
    return seconds


def annotate(
    owner: Client, connection: RunningServer, dataset: Json, names: str, submissions: int = SUBMISSIONS
) -> tuple[Counter[int], float]:
    """Returns the status codes of six annotators who submit at once while others push and search, and the seconds it took."""
    members = [make_annotator(owner, connection, dataset, f"{names}{number}") for number in range(ANNOTATORS)]
    done, codes = threading.Event(), Counter[int]()

    def disturb(work: Callable[[int], httpx.Response]) -> None:
        for number in range(10_000):
            if done.is_set():
                return
            codes[work(number).status_code] += 1

    start = time.perf_counter()
    with ThreadPoolExecutor(ANNOTATORS + 2) as pool:
        pusher, searcher = (Client(connection.url, connection.api_key) for _ in range(2))
        others = [pool.submit(disturb, work) for work in (pushing(pusher, dataset), searching(searcher, dataset))]
        for result in [pool.submit(submit_many, member, dataset, submissions) for member in members]:
            codes.update(result.result())
        done.set()
        for other in others:
            other.result()
    return codes, time.perf_counter() - start


def make_annotator(owner: Client, connection: RunningServer, dataset: Json, name: str) -> Client:
    """Returns a new annotator in the dataset's workspace."""
    body = {"username": name, "first_name": name, "password": "a long password", "role": "annotator"}
    user = owner.call("POST", "/users", body)
    owner.call("POST", f"/workspaces/{dataset['workspace_id']}/users", {"user_id": user["id"]})
    return Client(connection.url, user["api_key"])


def submit_many(member: Client, dataset: Json, submissions: int) -> list[int]:
    """Returns the status codes of one annotator's session: look at the queue, submit, again."""
    at = f"/me/datasets/{dataset['id']}/records/search"
    codes: list[int] = []
    pending = {"type": "terms", "scope": {"entity": "response", "property": "status"}, "values": ["pending"]}
    while len(codes) < submissions:
        page = member.http.post(at, json={"filters": {"and": [pending]}}, params={"limit": 10})
        for item in page.json()["items"][: submissions - len(codes)]:
            codes.append(submit(member, item["record"]["id"]).status_code)
    return codes


def submit(member: Client, record_id: str) -> httpx.Response:
    """Returns the server's answer to a submitted response."""
    values = {"query": {"value": f"by hand {record_id}"}, "verdict": {"value": "good"}}
    return member.http.post(f"/records/{record_id}/responses", json={"values": values, "status": "submitted"})


def pushing(client: Client, dataset: Json) -> Callable[[int], httpx.Response]:
    """Returns what sends another 50 new records each time."""

    def work(number: int) -> httpx.Response:
        body = {"items": make_records(50, first=10_000_000 + 50 * number)}
        return client.http.put(f"/datasets/{dataset['id']}/records/bulk", json=body)

    return work


def searching(client: Client, dataset: Json) -> Callable[[int], httpx.Response]:
    """Returns what searches for another word each time."""

    def work(number: int) -> httpx.Response:
        body = {"query": {"text": {"q": WORDS[number % len(WORDS)]}}}
        return client.http.post(f"/me/datasets/{dataset['id']}/records/search", json=body)

    return work


def kill_and_check(home: Path, kills: int) -> dict[str, int]:
    """Returns what was lost or doubled when the server is killed -9 in the middle of pushes and submissions, and restarted.

    Acknowledged is what the server answered with success before it was killed.
    """
    connection = ensure_server(home)
    client = Client(connection.url, connection.api_key)
    dataset = make_dataset(client, str(connection.workspace), "faults")
    push(client, dataset, make_records(100))
    draw = random.Random(kills)
    pushed = {record["external_id"] for record in make_records(100)}
    submitted: set[str] = set()
    for number in range(kills):
        pid = server_status(home).pid
        assert pid is not None
        killer = threading.Timer(draw.uniform(0.2, 1.5), os.kill, (pid, signal.SIGKILL))
        killer.start()
        push_and_submit(Client(connection.url, connection.api_key), dataset, 1000 * (number + 1), pushed, submitted)
        killer.join()
        connection = ensure_server(home)
    return compare(Client(connection.url, connection.api_key), dataset, pushed, submitted)


def push_and_submit(client: Client, dataset: Json, first: int, pushed: set[str], submitted: set[str]) -> None:
    """Pushes and submits until the server is gone; notes what it acknowledged."""
    with contextlib.suppress(httpx.TransportError):
        mine = client.call("GET", f"/datasets/{dataset['id']}/records", limit=1000)["items"]
        ids = iter([record["id"] for record in mine if record["id"] not in submitted])
        for batch in range(200):
            records = make_records(20, first=first + 20 * batch)
            if client.http.put(f"/datasets/{dataset['id']}/records/bulk", json={"items": records}).status_code == 200:
                pushed |= {record["external_id"] for record in records}
            for record_id in (next(ids, None) for _ in range(3)):
                if record_id is not None and submit(client, record_id).status_code == 201:
                    submitted.add(record_id)


def compare(client: Client, dataset: Json, pushed: set[str], submitted: set[str]) -> dict[str, int]:
    """Returns how many acknowledged records and responses are missing or there twice, and records whose status is wrong."""
    records = list(all_records(client, dataset))
    names = Counter(record["external_id"] for record in records)
    responses = {record["id"]: record["responses"] for record in records}
    return {
        "records acknowledged": len(pushed),
        "responses acknowledged": len(submitted),
        "records lost": len(pushed - names.keys()),
        "records doubled": sum(count - 1 for count in names.values()),
        "responses lost": sum(1 for record_id in submitted if not responses.get(record_id)),
        "responses doubled": sum(max(0, len(found) - 1) for found in responses.values()),
        "wrong status": sum((record["status"] == "completed") != bool(record["responses"]) for record in records),
    }


def all_records(client: Client, dataset: Json) -> Iterator[Json]:
    """Yields every record with its responses."""
    for offset in range(0, 10_000_000, 500):
        page = client.call("GET", f"/datasets/{dataset['id']}/records", limit=500, offset=offset, include=["responses"])["items"]
        yield from page
        if len(page) < 500:
            return


def compare_pushes(folder: Path, count: int) -> dict[str, float]:
    """Returns records per second of the SDK's loop with our server and with the same one without its changes for speed."""
    rates: dict[str, float] = {}
    connection = ensure_server(folder / "ours")
    rates["embedded"] = sdk_rate(connection, count)
    stop_server(folder / "ours")
    with plain_server(folder / "plain") as plain:
        rates["plain"] = sdk_rate(plain, count)
    return rates


@contextlib.contextmanager
def plain_server(home: Path) -> Iterator[RunningServer]:
    """Runs the server without its changes for speed."""
    from finetrieve.argilla_server.environment import ensure_environment

    connection = ensure_server(home)
    stop_server(home)
    package = ROOT / "steps" / "annotation" / "server"
    port = connection.url.rpartition(":")[2]
    environment = {**os.environ, "PYTHONPATH": str(package)}
    process = subprocess.Popen(
        [str(ensure_environment()), "-c", PLAIN, str(home), port], env=environment, cwd=home, stderr=subprocess.DEVNULL
    )
    try:
        while not server_status(home).running:
            time.sleep(0.2)
        yield connection
    finally:
        process.terminate()
        process.wait()


def sdk_rate(connection: RunningServer, count: int) -> float:
    """Returns records per second of the SDK's `dataset.records.log`."""
    import argilla as rg

    dataset = make_dataset(Client(connection.url, connection.api_key), str(connection.workspace), "pushed")
    client = rg.Argilla(api_url=connection.url, api_key=connection.api_key)
    target = client.datasets(name=dataset["name"], workspace=connection.workspace)
    assert target is not None
    rows = [
        rg.Record(
            id=row["external_id"],
            fields=row["fields"],
            metadata=row["metadata"],
            vectors=row["vectors"],
            suggestions=[rg.Suggestion("query", "how do I do that?", score=0.5, agent="rules")],
        )
        for row in make_records(count)
    ]
    with Path(os.devnull).open("w") as silent, contextlib.redirect_stderr(silent):
        return count / timed(lambda: target.records.log(rows))


def main() -> None:
    """Runs everything and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000, help="in the dataset that is searched")
    parser.add_argument("--pushed", type=int, default=2_000, help="in the comparison of pushes")
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="finetrieve-argilla-") as name:
        folder = Path(name)
        os.environ.pop("FINETRIEVE_ARGILLA_HOME", None)
        try:
            measure(folder, options.records, options.pushed, options.kills)
        finally:
            for home in ("home", "ours", "faults"):
                stop_server(folder / home)


def measure(folder: Path, records: int, pushed: int, kills: int) -> None:
    """Prints a line per measurement, with what it must reach."""
    home = folder / "home"
    row("processors, and processes that want one (now)", f"{os.cpu_count()}, {os.getloadavg()[0]:.0f}", "")
    row("first start, empty", f"{timed(lambda: ensure_server(home)):.1f} s", "< 15 s")
    connection = ensure_server(home)
    client = Client(connection.url, connection.api_key)
    dataset = make_dataset(client, str(connection.workspace), "searched")
    seconds = sum(timed(lambda at=at: push(client, dataset, make_records(BATCH * 4, at))) for at in range(0, records, BATCH * 4))  # type: ignore[misc]
    row(f"push of {records:,} by REST, made up on the way", f"{records / seconds:,.0f} records/s", "")
    row("memory after it", memory(home), "< 500 MB")
    stop_server(home)
    row(f"start with {records:,} records", f"{timed(lambda: ensure_server(home)):.1f} s", "< 15 s")
    client = Client(connection.url, connection.api_key)
    for what, took in answers(client, dataset).items():
        row(what, f"{took:.3f} s", "< 0.3 s" if what.startswith("similarity") else "< 0.5 s")
    row("memory after it", memory(home), "< 500 MB")
    codes, took = annotate(client, connection, dataset, "annotator")
    wrong = sum(count for code, count in codes.items() if code >= 500)
    row(
        f"{ANNOTATORS} x {SUBMISSIONS} submissions, pushes and searches",
        f"{wrong} x 5xx of {sum(codes.values())} in {took:.0f} s",
        "0",
    )
    row("memory after it", memory(home), "< 500 MB")
    stop_server(home)
    rates = compare_pushes(folder, pushed)
    ratio = rates["embedded"] / rates["plain"]
    row(f"SDK loop, {pushed:,} records, plain", f"{rates['plain']:,.0f} records/s", "")
    row(f"SDK loop, {pushed:,} records, embedded", f"{rates['embedded']:,.0f} records/s, {ratio:.1f} x", ">= 3 x")
    for what, count in kill_and_check(folder / "faults", kills).items():
        row(f"{kills} x kill -9: {what}", str(count), "" if "acknowledged" in what else "0")


def memory(home: Path) -> str:
    """Returns what the server's process has in memory."""
    found = server_status(home).memory
    return f"{found / 2**20:,.0f} MB" if found else "unknown"


def row(what: str, measured: str, wanted: str) -> None:
    """Prints one line of the table."""
    print(f"{what:<52}{measured:>28}   {wanted}", flush=True)


if __name__ == "__main__":
    main()
