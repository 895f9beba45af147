"""The pypi source against a package index on this machine that serves a source package made here."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from finetrieve.core.errors import InputError, UnreachableError
from finetrieve.corpus.sources.pypi import PypiSource
from finetrieve.corpus.sources.registry import check_source, fingerprint, read_source
from tests.imported_modules import imported

PAGES = {
    "docs/guide/start.txt": "Start\n=====\n\nRun ``motor start`` to start the motor.\n",
    "docs/stop.md": "# Stop\n\nPull the red lever to stop the motor.\n",
    "docs/index.txt": "Contents\n========\n\n.. toctree::\n\n   guide/start\n",
    "motor/__init__.py": "SPEED = 1\n",
    "README.md": "# Motor\n\nA motor.\n",
}
JSON, HTML = "application/vnd.pypi.simple.v1+json", "text/html"


def sdist(files: dict[str, str], *members: tarfile.TarInfo, top: str = "motor_parts-1.0") -> bytes:
    """Returns a source package with the files below `top`, and members as they are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return buffer.getvalue()


class Index:
    """A package index with the project `motor-parts`."""

    def __init__(self) -> None:
        self.archive = sdist(PAGES)
        self.stated = hashlib.sha256(self.archive).hexdigest()
        self.kind = JSON
        self.status = 200
        self.login: str | None = None
        self.requests: list[str] = []
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.requests.append(self.path)
                allowed = index.login is None or self.headers.get("Authorization") == index.login
                found = index.answer(self.path) if allowed else (401, "text/plain", b"")
                self.send_response(found[0])
                self.send_header("Content-Type", found[1])
                self.send_header("Content-Length", str(len(found[2])))
                self.end_headers()
                self.wfile.write(found[2])

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/simple"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, archive: bytes) -> None:
        self.archive, self.stated = archive, hashlib.sha256(archive).hexdigest()

    def answer(self, path: str) -> tuple[int, str, bytes]:
        if self.status != 200:
            return self.status, "text/plain", b""
        if path == "/files/motor_parts-1.0.tar.gz":
            return 200, "application/gzip", self.archive
        if path != "/simple/motor-parts/":
            return 404, "text/plain", b"not found"
        names = ["motor_parts-0.9.tar.gz", "motor_parts-1.0-py3-none-any.whl", "motor_parts-1.0.tar.gz"]
        if self.kind == JSON:
            root = self.address.removesuffix("/simple")
            files = [{"filename": name, "url": f"{root}/files/{name}", "hashes": {"sha256": self.stated}} for name in names]
            return 200, JSON, json.dumps({"meta": {"api-version": "1.0"}, "files": files}).encode()
        links = "".join(f'<a href="../../files/{name}#sha256={self.stated}">{name}</a><br>' for name in names)
        return 200, f"{HTML}; charset=utf-8", f"<!DOCTYPE html><html><body>{links}</body></html>".encode()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    running = Index()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_INDEX_URL", running.address)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield running
    running.server.shutdown()
    running.server.server_close()


def source(**changes: object) -> PypiSource:
    return PypiSource.model_validate({"package": "motor.parts", "version": "1.0", "txt_format": "restructuredtext", **changes})


def left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "finetrieve" / "pypi").iterdir())


@pytest.mark.parametrize("kind", [JSON, HTML])
def test_the_documentation_of_a_source_package_is_read(index: Index, kind: str) -> None:
    index.kind = kind
    read = read_source(source())
    assert [(page.id, page.title, page.source) for page in read.documents] == [
        ("guide/start.txt", "Start", "motor.parts-1.0/docs/guide/start.txt"),
        ("stop.md", "Stop", "motor.parts-1.0/docs/stop.md"),
    ]
    assert "Run `motor start` to start the motor." in read.documents[0].text
    assert source().place == "'docs' of motor.parts 1.0"


def test_patterns_choose_the_pages(index: Index) -> None:
    assert check_source(source(include=["guide/"])) == ["guide/start.txt"]
    assert check_source(source(exclude=["*.txt"])) == ["stop.md"]
    assert "README.md" in check_source(source(folder="."))


def test_a_second_run_needs_no_network(index: Index) -> None:
    first = fingerprint(source())
    asked = len(index.requests)
    index.status = 503
    assert fingerprint(source()) == first
    assert read_source(source()).documents
    assert len(index.requests) == asked


def test_the_fingerprint_tells_other_pages_and_other_readings_apart(index: Index) -> None:
    prints = [
        fingerprint(source(**changes)) for changes in ({}, {"include": ["guide/"]}, {"txt_format": "text"}, {"folder": "."})
    ]
    assert len(set(prints)) == 4


def test_only_documentation_is_unpacked_and_nothing_else_is_left(index: Index, tmp_path: Path) -> None:
    link = tarfile.TarInfo("motor_parts-1.0/docs/secret.md")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    index.serve(sdist(PAGES, link))
    assert check_source(source(exclude=["index.txt"])) == ["guide/start.txt", "stop.md"]
    assert left_in(tmp_path / "cache") == ["motor-parts-1.0"]
    unpacked = tmp_path / "cache" / "finetrieve" / "pypi" / "motor-parts-1.0" / "unpacked"
    assert not (unpacked / "motor" / "__init__.py").exists()


@pytest.mark.parametrize("name", ["motor_parts-1.0/../../evil.md", "/tmp/evil.md"])
def test_a_member_that_leads_out_of_the_package_is_refused(index: Index, tmp_path: Path, name: str) -> None:
    member = tarfile.TarInfo(name)
    member.size = 3
    index.serve(sdist(PAGES, member))
    with pytest.raises(InputError, match="leads out of it") as error:
        check_source(source())
    assert name in str(error.value) and "\n" not in str(error.value)
    assert left_in(tmp_path / "cache") == []


def test_a_file_that_is_no_archive_is_refused(index: Index, tmp_path: Path) -> None:
    index.serve(sdist(PAGES)[:60])
    with pytest.raises(InputError, match=r"Cannot unpack motor_parts-1\.0\.tar\.gz"):
        check_source(source())
    assert left_in(tmp_path / "cache") == []


def test_a_hash_that_differs_from_the_index_is_refused(index: Index, tmp_path: Path) -> None:
    seen = hashlib.sha256(index.archive).hexdigest()
    index.stated = "0" * 64
    with pytest.raises(InputError, match=rf"{seen[:12]}\.\.\., but the index states 000000000000\.\.\."):
        check_source(source())
    assert left_in(tmp_path / "cache") == []


def test_a_hash_that_differs_from_the_settings_is_refused_fetched_or_cached(index: Index) -> None:
    wanted = source(sha256="1" * 64)
    with pytest.raises(InputError, match=rf"sha256 {index.stated[:12]}\.\.\., but `source.sha256` is 111111111111\.\.\."):
        check_source(wanted)
    assert check_source(source(sha256=index.stated))
    with pytest.raises(InputError, match=r"It is in the cache at '.*motor-parts-1\.0'"):
        check_source(wanted)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"package": "motor-partz"}, "No project 'motor-partz' on the package index http://127.0.0.1"),
        ({"version": "2.0"}, r"No source package of motor.parts 2.0 .*The latest there: 1.0, 0.9"),
        ({"version": "one"}, "'one' is no version"),
        ({"folder": "doc"}, "No folder 'doc' in the source package of motor.parts 1.0. There are: docs"),
    ],
)
def test_what_is_not_there_is_named(index: Index, changes: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        check_source(source(**changes))
    assert not isinstance(error.value, UnreachableError)
    assert "\n" not in str(error.value)


def test_without_network_or_copy_it_says_so_and_shows_no_password(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.server.shutdown()
    index.server.server_close()
    monkeypatch.setenv("PIP_INDEX_URL", index.address.replace("http://", "http://ada:secret@"))
    with pytest.raises(
        UnreachableError, match=r"motor\.parts 1\.0 is not in the cache and cannot be fetched: no connection"
    ) as error:
        check_source(source())
    assert "secret" not in str(error.value) and "\n" not in str(error.value)


def test_an_index_that_fails_or_is_no_address_counts_as_out_of_reach(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.status = 503
    with pytest.raises(UnreachableError, match="answered 503"):
        check_source(source())
    monkeypatch.setenv("PIP_INDEX_URL", "file:///srv/wheels")
    with pytest.raises(UnreachableError, match=r"pip's index is 'file:///srv/wheels', expected an http\(s\) address"):
        check_source(source())


def test_the_index_of_pips_configuration_is_asked(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_INDEX_URL")
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {index.address}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert check_source(source())


def test_what_a_killed_fetch_left_goes_with_the_next_one(index: Index, tmp_path: Path) -> None:
    left = tmp_path / "cache" / "finetrieve" / "pypi" / ".fetch-killed"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    check_source(source())
    assert left_in(tmp_path / "cache") == ["motor-parts-1.0"]


def test_an_index_behind_a_login_is_read_with_it(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.login = "Basic " + base64.b64encode(b"ada:p@ss").decode()
    monkeypatch.setenv("PIP_INDEX_URL", index.address.replace("http://", "http://ada:p%40ss@"))
    assert check_source(source())


def test_several_processes_may_fetch_at_once(index: Index, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: check_source(source()), range(4)))
    assert found == [found[0]] * 4
    assert left_in(tmp_path / "cache") == ["motor-parts-1.0"]


@pytest.mark.parametrize(
    "changes", [{"folder": "../docs"}, {"folder": "/docs"}, {"package": "../x"}, {"version": "../1"}, {"sha256": "1"}]
)
def test_settings_that_lead_elsewhere_are_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        source(**changes)


@pytest.mark.slow
def test_a_cached_package_is_read_without_an_http_client(index: Index) -> None:
    check_source(source())
    code = (
        "from finetrieve.corpus.sources.pypi import PypiSource; from finetrieve.corpus.sources.registry import check_source, fingerprint; "
        "settings = PypiSource(package='motor-parts', version='1.0'); check_source(settings); fingerprint(settings)"
    )
    assert imported(code, "httpx", "packaging", "docutils") == set()
