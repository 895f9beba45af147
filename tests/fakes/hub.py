"""A Hub on loopback that huggingface_hub's own client talks to: repositories, large files, commits, and downloads."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_of_the_test"
LARGE = (".parquet", ".safetensors", ".bin")
_REPO = r"(?P<kind>datasets|models)/(?P<id>[\w.-]+/[\w.-]+)"


@dataclass
class Repository:
    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    history: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Commit -> the files that it left."""

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Returns a commit with its files; None where there is no such revision."""
        if revision in self.history:
            return revision, self.history[revision]
        return (self.commits[-1] if self.commits else "0" * 40, self.files) if revision == "main" else None

    def commit(self, files: dict[str, bytes], seed: bytes) -> str:
        """Makes a commit that leaves these files, and returns its id."""
        self.files = files
        self.commits.append(hashlib.sha1(seed + str(len(self.commits)).encode()).hexdigest())
        self.history[self.commits[-1]] = files
        return self.commits[-1]


@dataclass
class FakeHub:
    """What the server holds, for tests to look at."""

    url: str = ""
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    """(`datasets` or `models`, id) -> repository."""
    large: dict[str, bytes] = field(default_factory=dict)
    """sha256 -> content of what was uploaded, committed or not."""
    uploads: list[str] = field(default_factory=list)
    """sha256 of every large file, each time that it arrived whole."""
    most_uploads: int | None = None
    """Large files that arrive; those after them are on their way until `cut` is set, and then are lost."""
    cut: threading.Event = field(default_factory=threading.Event)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Says nothing of clients that were killed."""


@contextmanager
def running_hub() -> Iterator[FakeHub]:
    """Yields a running server."""
    hub = FakeHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = _Server(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_HEAD(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def do_PUT(self) -> None:
        self._answer(self._put)

    def _answer(self, work: object) -> None:
        self._body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._path = unquote(urlsplit(self.path).path)
        try:
            work()  # type: ignore[operator]
        except (ConnectionError, BrokenPipeError):
            self.close_connection = True

    def _send(self, content: object, status: int = 200, **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _repository(self, kind: str, name: str) -> Repository | None:
        found = self.hub.repositories.get((kind, name))
        if found is None or (found.private and not self._allowed()):
            self._send({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
            return None
        return found

    def _allowed(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _get(self) -> None:
        if match := re.fullmatch(rf"/api/{_REPO}(?:/revision/(?P<rev>\w+))?", self._path):
            if found := self._repository(match["kind"], match["id"]):
                at = found.at(match["rev"] or "main")
                if at is None:
                    self._send({"error": "Invalid rev id"}, 404, X_Error_Code="RevisionNotFound")
                    return
                sha, siblings = at[0], [{"rfilename": name} for name in at[1]]
                self._send({"id": match["id"], "sha": sha, "private": found.private, "siblings": siblings, "tags": []})
        elif match := re.fullmatch(rf"/api/{_REPO}/tree/(?P<rev>\w+)/?", self._path):
            if found := self._repository(match["kind"], match["id"]):
                files = (found.at(match["rev"]) or ("", found.files))[1]
                self._send([{"type": "file", "path": path, "size": len(data), "oid": _git_hash(data)} for path, data in files.items()])  # fmt: skip
        elif match := re.fullmatch(r"/(?P<kind>datasets/)?(?P<id>[\w.-]+/[\w.-]+)/resolve/(?P<rev>\w+)/(?P<path>.+)", self._path):
            found = self._repository("datasets" if match["kind"] else "models", match["id"])
            if found is not None:
                commit, files = found.at(match["rev"]) or ("", {})
                if match["path"] not in files:
                    self._send({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
                    return
                data = files[match["path"]]
                self._send(data, ETag=f'"{hashlib.sha256(data).hexdigest()}"', X_Repo_Commit=commit)
        else:
            self._send({"error": f"not found: {self._path}"}, 404)

    def _post(self) -> None:
        if not self._allowed():
            self._send({"error": "Invalid credentials in Authorization header"}, 401)
        elif self._path == "/api/repos/create":
            asked = json.loads(self._body)
            key = (f"{asked.get('type', 'model')}s", f"{asked['organization']}/{asked['name']}")
            self.hub.repositories.setdefault(key, Repository(asked.get("visibility") == "private"))
            self._send({"url": f"{self.hub.url}/{key[0]}/{key[1]}"})
        elif self._path == "/api/validate-yaml":
            self._send({"warnings": [], "errors": []})
        elif match := re.fullmatch(rf"/api/{_REPO}/preupload/\w+", self._path):
            if found := self._repository(match["kind"], match["id"]):
                self._send({"files": [self._mode(found, file["path"]) for file in json.loads(self._body)["files"]]})
        elif self._path.endswith(".git/info/lfs/objects/batch"):
            self._send({"transfer": "basic", "objects": [self._batch(item) for item in json.loads(self._body)["objects"]]})
        elif match := re.fullmatch(rf"/api/{_REPO}/commit/\w+", self._path):
            if found := self._repository(match["kind"], match["id"]):
                prefix = "datasets/" if match["kind"] == "datasets" else ""
                self._commit(found, f"{self.hub.url}/{prefix}{match['id']}")
        else:
            self._send({"error": f"not found: {self._path}"}, 404)

    def _mode(self, found: Repository, path: str) -> dict[str, object]:
        large, data = path.endswith(LARGE), found.files.get(path)
        oid = None if data is None else hashlib.sha256(data).hexdigest() if large else _git_hash(data)
        return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, **({"oid": oid} if oid else {})}

    def _batch(self, item: dict[str, object]) -> dict[str, object]:
        if item["oid"] in self.hub.large:
            return item
        return {**item, "actions": {"upload": {"href": f"{self.hub.url}/large/{item['oid']}", "header": {}}}}

    def _put(self) -> None:
        oid = self._path.rpartition("/")[2]
        if self.hub.most_uploads is not None and len(self.hub.uploads) >= self.hub.most_uploads:
            self.hub.cut.wait(600)
            raise ConnectionError
        if hashlib.sha256(self._body).hexdigest() != oid:
            self._send({"error": "the content is not what was announced"}, 400)
            return
        self.hub.large[oid] = self._body
        self.hub.uploads.append(oid)
        self._send({})

    def _commit(self, found: Repository, place: str) -> None:
        files = dict(found.files)
        for line in self._body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
            elif entry["key"] == "deletedFile":
                files.pop(value["path"], None)
        made = found.commit(files, self._body)
        self._send({"commitUrl": f"{place}/commit/{made}", "commitOid": made})


def _git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
