"""The git source on real repositories of this machine, read through file:// addresses."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from finetrieve.core.errors import InputError, UnreachableError
from finetrieve.corpus.sources.folder import FolderSource
from finetrieve.corpus.sources.git import GitSource, git_settings
from finetrieve.corpus.sources.registry import check_source, fingerprint, reach_source, read_source, source_from_argument

WHO = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@acme.example"))
}


class Repository:
    """A repository with two versions of its documentation."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.git("init", "-q", "-b", "main", str(path), at=None)
        self.first = self.commit(
            {
                "docs/start.md": "# Start\n\nRun motor start.\n",
                "docs/deep/a b.md": "# Deep\n\nWords of it.\n",
                "src/main.c": "int main;\n",
                "README.md": "# Motor\n\nA motor.\n",
            },
            "v1.0",
        )
        self.git("tag", "-a", "annotated", "-m", "A release")
        self.second = self.commit(
            {
                "docs/start.md": "# Start\n\nPress the green button.\n",
                "docs/api.json": '{"openapi": "3.0.0", "info": {"title": "Api"}, "paths": {"/a": {"get": {"description": "Reads a."}}}}',
            }
        )
        self.git("checkout", "-q", "-b", "feature/x")
        self.third = self.commit({"docs/new.md": "# New\n\nNot merged yet.\n"})
        self.git("checkout", "-q", "main")

    @property
    def address(self) -> str:
        return self.path.resolve().as_uri()

    def git(self, *arguments: str, at: str | None = "-C") -> str:
        place = [at, str(self.path)] if at else []
        done = subprocess.run(["git", *place, *arguments], capture_output=True, text=True, check=True, env={**os.environ, **WHO})
        return done.stdout.strip()

    def commit(self, files: dict[str, str], tag: str = "") -> str:
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "Write")
        if tag:
            self.git("tag", tag)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    return Repository(tmp_path / "motor")


def source(made: Repository, /, **changes: object) -> GitSource:
    return GitSource.model_validate({"repository": made.address, "folder": "docs", **changes})


def texts(settings: GitSource) -> dict[str, str]:
    return {page.id: page.text for page in read_source(settings).documents}


def test_the_documentation_of_a_version_is_read_with_its_commit(repository: Repository, tmp_path: Path) -> None:
    read = read_source(source(repository, ref="v1.0"))
    assert [(page.id, page.source) for page in read.documents] == [
        ("deep/a b.md", f"motor@{repository.first[:12]}/docs/deep/a b.md"),
        ("start.md", f"motor@{repository.first[:12]}/docs/start.md"),
    ]
    assert "Run motor start." in read.documents[1].text
    assert read.version == f"v1.0, commit {repository.first}"
    cached = [path for path in (tmp_path / "cache" / "finetrieve" / "git").iterdir() if path.name != "refs"]
    assert [path.name.startswith(f"motor-{repository.first[:12]}-") for path in cached] == [True]
    assert not list(cached[0].rglob("*.c")) and not (cached[0] / ".git").exists() and not (cached[0] / "README.md").exists()


@pytest.mark.parametrize(
    ("ref", "page", "words"),
    [
        (None, "start.md", "green button"),
        ("main", "start.md", "green button"),
        ("annotated", "start.md", "Run motor start"),
        ("feature/x", "new.md", "Not merged yet"),
    ],
)
def test_a_branch_a_tag_or_the_default_is_found(repository: Repository, ref: str | None, page: str, words: str) -> None:
    assert words in texts(source(repository, ref=ref))[page]


def test_a_commit_is_found_even_where_no_branch_ends_there(repository: Repository) -> None:
    settings = source(repository, ref=repository.first)
    assert "Run motor start" in texts(settings)["start.md"]
    assert read_source(settings).version == f"commit {repository.first}"


def test_an_old_server_that_gives_out_branches_only_is_read_too(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, (key, value) in enumerate([("protocol.version", "0"), ("uploadpack.allowAnySHA1InWant", "false")]):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    assert "Run motor start" in texts(source(repository, ref=repository.first))["start.md"]


def test_a_branch_that_moves_is_read_anew_and_a_commit_that_changes_no_page_is_not(repository: Repository) -> None:
    before = fingerprint(source(repository))
    repository.commit({"src/main.c": "int changed;\n"})
    assert fingerprint(source(repository)) == before
    repository.commit({"docs/start.md": "# Start\n\nPull the lever.\n"})
    assert fingerprint(source(repository)) != before
    assert "Pull the lever." in texts(source(repository))["start.md"]


def test_a_path_and_what_is_not_committed(repository: Repository) -> None:
    (repository.path / "docs" / "draft.md").write_text("# Draft\n\nNot committed.\n")
    settings = source(repository, repository=str(repository.path))
    assert "draft.md" not in texts(settings)
    assert "api.json#GET /a" in texts(settings)
    assert set(texts(settings)) <= set(check_source(settings))


def test_patterns_and_folder_choose_the_pages(repository: Repository) -> None:
    assert check_source(source(repository, ref="v1.0", include=["deep/"])) == ["deep/a b.md"]
    assert check_source(source(repository, ref="v1.0", folder=".")) == ["README.md", "docs/deep/a b.md", "docs/start.md"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ref": "v1.1"}, r"No branch or tag 'v1\.1' in 'file:.*There are: v1\.0\."),
        ({"ref": "0123abc"}, r"No branch or tag '0123abc' in .*write all its 40 digits"),
        ({"ref": "0" * 40}, r"No commit 0{40} in 'file:"),
        ({"folder": "doc"}, r"No documentation in 'doc' of 'file:.*\(commit [0-9a-f]{12}\): no such folder"),
        ({"repository": "/nowhere/at/all"}, r"No such git repository: '/nowhere/at/all'"),
        ({"repository": "file:///nowhere/at/all"}, r"No git repository at 'file:///nowhere/at/all'"),
    ],
)
def test_what_is_not_there_is_named(repository: Repository, changes: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        check_source(source(repository, **changes))
    assert "\n" not in str(error.value)


def test_a_folder_that_is_no_repository_and_an_empty_one_are_named(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(InputError, match="No git repository at"):
        check_source(source(repository, repository=str(tmp_path / "plain")))
    subprocess.run(["git", "init", "-q", str(tmp_path / "empty")], check=True)
    with pytest.raises(InputError, match="has no commit yet"):
        check_source(source(repository, repository=str(tmp_path / "empty")))


def test_without_git_it_says_so(repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="the command 'git' is needed"):
        check_source(source(repository))


@pytest.fixture
def web_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """Serves the folder of the test as plain files, which git reads as well (its "dumb" protocol)."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(tmp_path))

        def do_GET(self) -> None:
            if not self.path.startswith("/secret"):
                return super().do_GET()
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None

        def log_message(self, format: str, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_server_that_does_not_answer_is_out_of_reach_and_the_last_commit_is_read(
    repository: Repository, web_server: ThreadingHTTPServer
) -> None:
    repository.git("update-server-info")
    address = f"http://127.0.0.1:{web_server.server_port}/motor/.git"
    assert "green button" in texts(source(repository, repository=address))["start.md"]
    web_server.shutdown()
    web_server.server_close()
    assert "green button" in texts(source(repository, repository=address))["start.md"]
    with pytest.raises(UnreachableError, match=r"out of reach \("):
        check_source(source(repository, repository=address, ref="v1.0"))


def test_a_login_is_never_asked_for(repository: Repository, web_server: ThreadingHTTPServer) -> None:
    with pytest.raises(InputError, match="wants a login, and nobody is asked for one here"):
        check_source(source(repository, repository=f"http://127.0.0.1:{web_server.server_port}/secret/motor.git"))


@pytest.mark.parametrize(
    "changes",
    [
        {"repository": "https://ada:geheim@host/x.git"},
        {"repository": "https://geheim@host/x.git"},
        {"repository": "ssh://ada:geheim@host/x.git"},
        {"repository": "ext::sh -c geheim"},
        {"repository": "--upload-pack=geheim"},
        {"repository": "gopher://host/geheim"},
        {"ref": "--geheim"},
        {"folder": "../geheim"},
        {"folder": "/geheim"},
    ],
)
def test_settings_that_hold_a_secret_or_lead_elsewhere_are_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as error:
        GitSource.model_validate({"repository": "https://host/x.git", **changes})
    if "geheim@" in changes.get("repository", ""):
        with pytest.raises(InputError) as shown:
            source_from_argument(f"git+{changes['repository']}")
        assert "geheim" not in str(shown.value) and "geheim" not in error.value.errors()[0]["msg"]


def test_pages_of_well_known_hosts_have_the_address_at_which_these_show_them() -> None:
    from finetrieve.core.rows import Document

    for repository, start in (
        ("https://github.com/acme/motor.git", "https://github.com/acme/motor/blob/"),
        ("git@github.com:acme/motor.git", "https://github.com/acme/motor/blob/"),
        ("https://gitlab.acme.example/a/b/motor", "https://gitlab.acme.example/a/b/motor/-/blob/"),
    ):
        reader = GitSource(repository=repository, folder="docs").reader()
        reader.__dict__["_commit"] = "c" * 40
        placed = reader._placed(Document("a b.md", "A", "x", "a b.md"))
        assert placed.source == f"{start}{'c' * 40}/docs/a%20b.md"


def test_docs_takes_a_repository(repository: Repository, tmp_path: Path) -> None:
    assert git_settings("git+https://host/o/r@v1.2#docs") == {"repository": "https://host/o/r", "ref": "v1.2", "folder": "docs"}
    assert git_settings("https://host/o/r.git") == {"repository": "https://host/o/r.git"}
    assert git_settings("git@host:o/r.git@feature/x#subdirectory=docs/en") == {
        "repository": "git@host:o/r.git",
        "ref": "feature/x",
        "folder": "docs/en",
    }
    assert git_settings("git+ssh://git@host/o/r.git@v1") == {"repository": "ssh://git@host/o/r.git", "ref": "v1"}
    for other in ("docs", "https://docs.acme.example/", "a@b.md", str(tmp_path), str(repository.path)):
        assert git_settings(other) is None, other
    found = source_from_argument(f"git+{repository.address}@v1.0#docs")
    assert isinstance(found, GitSource) and check_source(found) == ["deep/a b.md", "start.md"]
    bare = tmp_path / "bare.git"
    repository.git("clone", "-q", "--bare", str(repository.path), str(bare), at=None)
    assert isinstance(source_from_argument(bare), GitSource) and check_source(source_from_argument(f"{bare}@v1.0#docs"))
    assert isinstance(source_from_argument(repository.path), FolderSource)


def test_doctor_asks_for_the_commit_only(repository: Repository, tmp_path: Path) -> None:
    assert reach_source(source(repository)) == []
    assert sorted(path.name for path in (tmp_path / "cache" / "finetrieve" / "git").iterdir()) == ["refs"]
    ids = check_source(source(repository))
    assert reach_source(source(repository)) == ids
