from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from finetrieve.app.search import BASE, TRAINED, SearchComparison
from finetrieve.app.serving.api import create_app
from finetrieve.app.serving.live import LiveComparison
from finetrieve.app.serving.settings import KEY_VARIABLE, Limits, ServeSettings, serve_settings
from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, embedded_text
from finetrieve.retrieval.fusion import FUSED
from finetrieve.retrieval.hybrid_index import build_index
from finetrieve.retrieval.search import SearchableCorpus, Searcher
from finetrieve.retrieval.vector_cache import CachedEmbedder
from tests.training.conftest import tiny_model  # noqa: F401  # a fixture

KEY = "a-key-of-at-least-16-characters"
LOCAL = "http://127.0.0.1:8600"
CHUNKS = [
    Chunk(f"c{row}", f"{word}.md", f"{word}.md", word.title(), "", f"The {word} has a {colour} button.", 9, 0)
    for row, (word, colour) in enumerate([("pump", "green"), ("door", "red"), ("lamp", "blue")])
]


@pytest.fixture(scope="module")
def comparison(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> SearchComparison:  # noqa: F811
    embedder = CachedEmbedder(tiny_model, folder=tmp_path_factory.mktemp("vectors"))
    index = build_index([embedded_text(chunk) for chunk in CHUNKS], embedder, with_tokens=True)
    corpus = SearchableCorpus(CHUNKS, {side: Searcher(index, FUSED) for side in (TRAINED, BASE)})
    names = {TRAINED: "docs:1 (production)", BASE: "base model (embedded)"}
    return SearchComparison(corpus, names, "", {}, "docs", "Measured.")


def client_of(comparison: SearchComparison, settings: ServeSettings | None = None) -> TestClient:
    return TestClient(create_app(comparison, 2, settings), base_url=LOCAL)


def test_embed_gives_the_vectors_that_the_model_searches_by(comparison: SearchComparison) -> None:
    client, texts = client_of(comparison), ["the red button", "a lamp"]
    index = comparison.corpus.searchers[TRAINED].index
    queries = index.prepare(texts)
    found = client.post("/embed", json={"texts": texts, "vectors": ["dense", "late"]}).json()
    assert found["model"] == "docs:1 (production)"
    assert np.allclose(found["dense"], queries.vectors, atol=1e-5)
    assert queries.tokens is not None and queries.weights is not None
    assert np.allclose(np.concatenate(found["late"]), queries.tokens.vectors, atol=2e-3)
    assert np.allclose(np.concatenate(found["weights"]), queries.weights, atol=1e-5)
    assert [len(text) for text in found["late"]] == np.diff(queries.tokens.starts).tolist()
    short = client.post("/embed", json={"texts": [embedded_text(CHUNKS[0])], "role": "document", "dimensions": 4}).json()
    cut = index.vectors[0, :4] / np.linalg.norm(index.vectors[0, :4])
    assert np.allclose(short["dense"][0], cut, atol=1e-4) and set(short) == {"model", "dense"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"texts": []}, "texts: expected a list of at least 1."),
        ({"texts": ["a"] * 65}, "65 texts were sent; at most 64 are embedded at a time."),
        ({"texts": ["a" * 20_001]}, "texts.0 has 20,001 characters; at most 20,000 are read."),
        ({"texts": ["a", " "]}, "texts.1 is empty."),
        ({"texts": ["a"], "dimensions": 17}, "dimensions is 17; this model's vectors have 16 numbers."),
        (
            {"texts": ["a"], "rôle": "query"},
            "rôle: unknown key. Did you mean 'role'? Known keys: texts, role, vectors, dimensions.",
        ),
    ],
)
def test_a_wrong_request_gets_one_line_that_says_how(comparison: SearchComparison, body: dict[str, object], said: str) -> None:
    refused = client_of(comparison).post("/embed", json=body)
    assert refused.status_code == 400 and refused.json()["error"].startswith(said)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"content": b'{"q": '}, "The body is not JSON: Expecting value, at character 6."),
        ({"content": b'{"q": "\xff"}'}, "The body is not JSON."),
        ({}, "Expected a JSON object as the body (Content-Type: application/json) with the keys q, k, pages."),
        ({"json": ["a"]}, "Expected a JSON object as the body (Content-Type: application/json) with the keys q, k, pages."),
        ({"data": {"q": "a"}}, "Expected a JSON object as the body (Content-Type: application/json) with the keys q, k, pages."),
        ({"json": {"k": 1}}, "q: missing."),
        ({"json": {"q": 7}}, "q: expected text."),
        ({"json": {"q": "a", "k": "x"}}, "k: expected a whole number."),
        ({"json": {"q": "a", "k": 1.5}}, "k: expected a whole number."),
        ({"json": {"q": "a", "k": 0}}, "k: expected a number from 1 on."),
        ({"json": {"q": "a", "k": 10**6}}, "k: expected at most "),
        ({"json": {"q": "a", "pages": "perhaps"}}, "pages: expected true or false."),
        ({"json": {"q": "a", "pages": []}}, "pages: expected true or false."),
    ],
)
def test_a_wrong_search_gets_one_line_in_plain_words(comparison: SearchComparison, sent: dict[str, Any], said: str) -> None:
    if "content" in sent:
        sent = {**sent, "headers": {"content-type": "application/json"}}
    refused = client_of(comparison).post("/search", **sent)
    assert refused.status_code == 400 and refused.json()["error"].startswith(said)


def test_a_wrong_word_for_pages_in_the_address_gets_the_same_line(comparison: SearchComparison) -> None:
    refused = client_of(comparison).get("/search", params={"q": "a", "pages": "perhaps"})
    assert (refused.status_code, refused.json()) == (400, {"error": "pages: expected true or false."})


def test_what_no_path_or_method_is_for_gets_an_error_in_the_same_form(comparison: SearchComparison) -> None:
    client = client_of(comparison)
    nowhere, other = client.get("/nowhere"), client.get("/embed")
    assert nowhere.status_code == 404
    assert nowhere.json() == {"error": "There is nothing at '/nowhere'; /docs says what there is."}
    assert other.status_code == 405 and other.headers["allow"] == "POST"
    assert other.json() == {"error": "GET is not answered at '/embed'; expected POST."}


def test_answers_are_as_the_openapi_document_says_and_its_page_needs_no_other_host(comparison: SearchComparison) -> None:
    client = client_of(comparison, ServeSettings(key=KEY))
    client.headers["authorization"] = f"Bearer {KEY}"
    document = client.get("/openapi.json").json()
    assert {"/search", "/embed", "/health", "/version"} == set(document["paths"])
    asked = {
        "/search": [
            client.get("/search", params={"q": "red?"}),
            client.get("/search", params={"q": "red?", "pages": "true"}),
            client.post("/search", json={"q": "red?", "k": 1, "pages": True}),
        ],
        "/embed": [client.post("/embed", json={"texts": ["a"], "vectors": ["late"]})],
        "/health": [client.get("/health")],
        "/version": [client.get("/version")],
    }
    for path, answers in asked.items():
        operation = next(iter(document["paths"][path].values()))
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        for answer in answers:
            jsonschema.validate(answer.json(), {**schema, "components": document["components"]})
    assert len(asked["/search"][2].json()["trained"]["hits"]) == 1
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    page = client.get("/docs")
    assert "POST /embed" in page.text and "X-API-Key" in page.text and "at most 64 texts" in page.text
    assert "<script" not in page.text and "https://" not in page.text and "http://" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_only_the_key_opens_it_and_it_is_never_shown(comparison: SearchComparison, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = ServeSettings(key=KEY)
    client = client_of(comparison, settings)
    basic = base64.b64encode(f"anybody:{KEY}".encode()).decode()
    good = [{"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}, {"authorization": f"Basic {basic}"}]
    assert [client.get("/search?q=a", headers=headers).status_code for headers in good] == [200] * 3
    bad = [
        {},
        {"authorization": f"Bearer {KEY}x"},
        {"x-api-key": "é".encode()},
        {"authorization": "Basic !"},
        {"authorization": KEY},
    ]
    for path in ("/", "/search?q=a", "/docs", "/openapi.json", "/version", "/nowhere"):
        for headers in bad:
            refused = client.get(path, headers=headers)  # type: ignore[arg-type]
            assert refused.status_code == 401 and refused.headers["www-authenticate"].startswith("Basic"), path
    assert client.get("/health").json() == {"status": "ok"}
    assert KEY not in caplog.text and KEY not in repr(settings)


def test_other_machines_are_let_in_with_a_key_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert serve_settings().key is None and serve_settings("::1").is_local and serve_settings("localhost").is_local
    for host in ("0.0.0.0", "::", "10.0.0.1", "my-host"):
        with pytest.raises(InputError, match=f"lets other machines ask, so {KEY_VARIABLE} has to be set"):
            serve_settings(host)
    monkeypatch.setenv(KEY_VARIABLE, "short")
    with pytest.raises(InputError, match="has 5 characters; expected 16 or more") as refused:
        serve_settings()
    assert "short" not in str(refused.value)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    assert serve_settings("0.0.0.0").key == KEY


class Slow:
    """A real server whose application waits until it is told to answer."""

    def __init__(self, settings: ServeSettings) -> None:
        from finetrieve.app.serving.guard import Guard

        self.app, self.go, self.waiting = FastAPI(), threading.Event(), threading.Semaphore(0)
        self.app.add_middleware(Guard, settings=settings)

        @self.app.post("/wait")
        def wait() -> str:
            self.waiting.release()
            self.go.wait(20)
            return "done"

        @self.app.get("/health")
        def health() -> str:
            return "ok"

        self.server = uvicorn.Server(uvicorn.Config(self.app, port=0, log_level="error"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        self.address = f"http://127.0.0.1:{self.server.servers[0].sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        self.go.set()
        self.server.should_exit = True
        self.thread.join(20)


@pytest.fixture
def slow(request: pytest.FixtureRequest) -> Iterator[Slow]:
    server = Slow(ServeSettings(limits=request.param))
    yield server
    server.stop()


@pytest.mark.parametrize(("slow", "status"), [(Limits(requests=2), 503), (Limits(requests_per_client=2), 429)], indirect=["slow"])
def test_requests_beyond_the_limit_are_refused_at_once_and_the_others_answered(slow: Slow, status: int) -> None:
    statuses: list[int] = []
    asking = [
        threading.Thread(target=lambda: statuses.append(httpx.post(f"{slow.address}/wait", timeout=60).status_code)) for _ in "ab"
    ]
    for thread in asking:
        thread.start()
    for _ in asking:
        assert slow.waiting.acquire(timeout=20)
    refused = httpx.post(f"{slow.address}/wait", timeout=60)
    assert (refused.status_code, refused.headers["retry-after"]) == (status, "1") and "error" in refused.json()
    assert httpx.get(f"{slow.address}/health", timeout=60).status_code == 200  # a load balancer's, in nobody's queue
    slow.go.set()
    for thread in asking:
        thread.join(20)
    assert statuses == [200, 200]
    assert httpx.post(f"{slow.address}/wait", timeout=60).status_code == 200  # the places are free again


@pytest.mark.parametrize("slow", [Limits(requests=1, seconds=0.5, body_bytes=1_000)], indirect=True)
def test_what_takes_too_long_or_is_too_large_is_refused(slow: Slow) -> None:
    assert httpx.post(f"{slow.address}/wait", timeout=60).status_code == 504
    assert httpx.post(f"{slow.address}/wait", timeout=60).status_code == 503  # the first one still computes
    slow.go.set()
    deadline = time.monotonic() + 20
    while httpx.post(f"{slow.address}/wait", timeout=60).status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.05)

    def drops(size: int) -> Iterator[bytes]:
        for _ in range(size):
            yield b"x" * 100

    def endless() -> Iterator[bytes]:
        yield b"x"
        time.sleep(1.5)
        yield b"x"

    assert httpx.post(f"{slow.address}/wait", content=b"x" * 1_001, timeout=60).status_code == 413
    assert httpx.post(f"{slow.address}/wait", content=drops(11), timeout=60).status_code == 413  # of no said length
    assert httpx.post(f"{slow.address}/wait", content=drops(9), timeout=60).status_code == 200
    assert httpx.post(f"{slow.address}/wait", content=endless(), timeout=60).status_code == 408


def test_another_version_takes_over_when_it_is_loaded_and_the_old_one_serves_until_then(comparison: SearchComparison) -> None:
    state = {"version": "1"}
    loading, loaded = threading.Event(), threading.Event()

    def load() -> SearchComparison:
        if state["version"] == "broken":
            raise InputError("The files of docs:3 cannot be read.")
        loading.set()
        assert loaded.wait(20)
        names = {**comparison.names, TRAINED: f"docs:{state['version']} (production)"}
        return SearchComparison(comparison.corpus, names, "", {}, "docs", "", BASE)

    live = LiveComparison(comparison, "1", lambda: state["version"], load, seconds=0.01)
    client = TestClient(create_app(live, 2), base_url=LOCAL)

    def version() -> str:
        return str(client.get("/version").json()["version"])

    live.start()
    assert version() == "docs:1 (production)"
    state["version"] = "2"
    assert loading.wait(20) and version() == "docs:1 (production)"
    assert client.get("/search?q=red").json()["trained"]["name"] == "docs:1 (production)"
    loaded.set()
    deadline = time.monotonic() + 20
    while version() != "docs:2 (production)" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert client.get("/version").json()["answers"] == "base"
    assert client.post("/embed", json={"texts": ["a"]}).json()["model"] == "base model (embedded)"
    live.stop()
    state["version"] = "broken"
    assert not live.check() and version() == "docs:2 (production)"
    assert json.loads(client.get("/search?q=red").text)["question"] == "red"
