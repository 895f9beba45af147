"""What our side does with servers of all kinds; they are loopback ones."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from finetrieve.annotation.client import Connection, RefusedError, Server, find_workspace, read_records
from finetrieve.core.errors import InputError

Answers = Callable[[str, str], tuple[int, Any]]
"""Method and path -> status and JSON (or text)."""

VERSION = {"version": "2.8.0"}
ME = {"username": "owner"}


@contextmanager
def serving(answers: Answers) -> Iterator[str]:
    """Yields the address of a server that answers so."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = answers(self.command, self.path)
            raw = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        httpd.server_close()


def connection(url: str, workspace: str | None = None) -> Connection:
    return Connection(url, "secret-key", workspace, embedded=True)


def argilla(path: str, version: str = "2.8.0", workspaces: tuple[str, ...] = ("docs",)) -> tuple[int, Any]:
    if path.endswith("/version"):
        return 200, {"version": version}
    if path.endswith("/me/workspaces"):
        return 200, {"items": [{"id": name, "name": name} for name in workspaces]}
    return 200, ME


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (lambda _method, _path: (200, "<html>a wiki</html>"), "is no Argilla 2 server (status 200)"),
        (lambda _method, _path: (404, {"detail": "Not Found"}), "is no Argilla 2 server (status 404)"),
        (lambda _method, _path: (200, ["version"]), "is no Argilla 2 server"),
        (lambda _method, path: argilla(path, "1.29.1"), "has version 1.29.1; expected 2.x"),
        (lambda _method, path: argilla(path, "3.0.0"), "has version 3.0.0; expected 2.x"),
        (lambda _method, path: argilla(path) if path.endswith("version") else (401, {}), "does not know the API key"),
    ],
)
def test_a_server_that_cannot_be_used_is_named_in_one_line_without_the_key(answers: Answers, expected: str) -> None:
    with serving(answers) as url, pytest.raises(InputError) as caught:
        Server(connection(url))
    assert expected in str(caught.value) and url in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1 and "secret-key" not in str(caught.value)


@pytest.mark.parametrize("key", ["s3cret\n", "s3cret key", "s3crét", ""])
def test_a_key_that_can_be_none_is_not_quoted(key: str) -> None:
    with pytest.raises(InputError, match="no key has") as caught:
        Server(Connection("http://127.0.0.1:1", key, None, embedded=True))
    assert "s3cr" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no-such-host.invalid"])
def test_an_address_where_nothing_answers_is_said_at_once(url: str) -> None:
    with pytest.raises(InputError, match="No Argilla server answers at") as caught:
        Server(connection(url))
    assert "annotation.url" in str(caught.value)


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        (("docs",), "dosc", "has no workspace 'dosc' (annotation.workspace). The key may see: docs."),
        ((), "docs", "The key may see none."),
        (("a", "b"), None, "Name a workspace"),
    ],
)
def test_a_workspace_that_is_not_there_is_answered_with_those_that_are(
    there: tuple[str, ...], wanted: str | None, expected: str
) -> None:
    with serving(lambda _method, path: argilla(path, workspaces=there)) as url, Server(connection(url, wanted)) as server:
        with pytest.raises(InputError) as caught:
            find_workspace(server)
        assert expected in str(caught.value)


def test_the_only_workspace_needs_no_name() -> None:
    with serving(lambda _method, path: argilla(path)) as url, Server(connection(url)) as server:
        assert find_workspace(server)["name"] == "docs"


def test_a_server_that_restarts_is_waited_for() -> None:
    failures = [503, 500]

    def answers(_method: str, path: str) -> tuple[int, Any]:
        if path.endswith("/things") and failures:
            return failures.pop(), {}
        return (200, {"items": ["done"]}) if path.endswith("/things") else argilla(path)

    with serving(answers) as url, Server(connection(url)) as server:
        assert server.items("/things") == ["done"]
    assert failures == []


def test_our_own_server_is_brought_back_wherever_it_listens_then() -> None:
    with serving(lambda _method, path: argilla(path)) as there:
        with serving(lambda _method, path: argilla(path)) as first:
            server = Server(connection(first), reconnect=lambda: connection(there))
        assert server.get("/me") == ME and server.url == there
        server.close()


def test_a_server_that_stays_away_is_given_up_after_a_while() -> None:
    with serving(lambda _method, path: argilla(path)) as url:
        server = Server(connection(url), retry_seconds=0.3)
    with pytest.raises(ConnectionError, match="does not answer any more") as caught:
        server.get("/me")
    assert "secret-key" not in str(caught.value)
    server.close()


def test_a_refusal_is_not_tried_again() -> None:
    asked: list[str] = []

    def answers(_method: str, path: str) -> tuple[int, Any]:
        asked.append(path)
        return (422, {"detail": "no such field"}) if path.endswith("/bulk") else argilla(path)

    with serving(answers) as url, Server(connection(url)) as server, pytest.raises(RefusedError, match="no such field"):
        server.request("PUT", "/bulk", {})
    assert sum(path.endswith("/bulk") for path in asked) == 1


def test_a_fault_that_no_waiting_mends_is_not_waited_for() -> None:
    def answers(_method: str, path: str) -> tuple[int, Any]:
        return (500, "fault") if path.endswith("/things") else argilla(path)

    with serving(answers) as url, Server(connection(url)) as server, pytest.raises(RefusedError, match="500"):
        server.get("/things")


def test_records_that_move_while_they_are_read_are_read_once_and_all() -> None:
    """The second page of three was cut when a record before it went: one is skipped, and read on the second round."""
    rows = [{"id": str(number)} for number in range(1_200)]
    pages = [rows[:500], rows[501:1001], rows[1001:], rows[:500], rows[500:1000], rows[1000:]]

    def answers(_method: str, path: str) -> tuple[int, Any]:
        return (200, {"items": pages.pop(0), "total": 1_200}) if "/records" in path else argilla(path)

    with serving(answers) as url, Server(connection(url)) as server:
        found = [record["id"] for record in read_records(server, "d", [], lambda _done, _total: None)]
    assert sorted(found, key=int) == [row["id"] for row in rows]
