"""The documentation in a git repository at one commit: fetched once into the user's cache, then read as a folder."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, field_validator

from finetrieve.core.cache_folder import made_whole
from finetrieve.core.errors import InputError, UnreachableError
from finetrieve.core.logging import get_logger
from finetrieve.core.paths import ConfigPath, user_cache
from finetrieve.core.rows import Document
from finetrieve.corpus.parsing.api_file import API_SUFFIXES
from finetrieve.corpus.sources.base import PageSource, SourceRead
from finetrieve.corpus.sources.folder import DOCUMENT_SUFFIXES, Folder, FolderSource

logger = get_logger(__name__)

_SCHEMES = ("https", "http", "ssh", "git", "file")
_SCP = re.compile(r"(?:[\w.-]+@)?[\w.-]+:(?!//)[^\\]+")
"""`git@host:owner/name.git`, as ssh has it."""
_BLOBS = {"github.com": "blob", "gitlab.com": "-/blob", "bitbucket.org": "src", "codeberg.org": "src/commit"}
"""Where the sites of well-known hosts show a file of a commit."""


class GitSource(PageSource):
    """The documentation in a git repository, at one commit."""

    description: ClassVar[str] = "the documentation in a git repository, at a branch, a tag or a commit"
    identity_keys: ClassVar[tuple[str, ...]] = ("repository",)

    name: Literal["git"] = "git"
    repository: ConfigPath = Field(min_length=1)
    """Its address, such as `https://github.com/django/django.git` or `git@host:owner/name.git`, or its path on this machine."""
    ref: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][^\s~^:?*\[\\\x00-\x1f]*$")
    """A branch, a tag or a whole commit; null takes the default branch as it is now."""
    folder: str = Field(default=".", min_length=1)
    """Folder inside the repository, such as `docs`; `.` reads all of it."""

    @field_validator("repository")
    @classmethod
    def _repository_is_safe(cls, repository: str) -> str:
        scheme, found, rest = repository.partition("://")
        login = rest.partition("/")[0].rpartition("@")[0]
        if found and login and (":" in login or scheme.lower() in ("http", "https")):
            raise ValueError(
                "the address holds a user name or password. Leave it out: git takes it from a credential helper or ~/.netrc."
            )
        if repository.startswith("-") or re.match(r"[\w+-]+::", repository):
            raise ValueError("found an option or a transport helper; expected an address or a path.")
        if found and scheme.lower() not in _SCHEMES:
            raise ValueError(f"found an address of the kind '{scheme[:20]}'; expected one of: {', '.join(_SCHEMES)}.")
        return repository

    @field_validator("folder")
    @classmethod
    def _folder_is_inside(cls, folder: str) -> str:
        if PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts or "\n" in folder:
            raise ValueError(f"found '{folder}'; expected a folder inside the repository, such as 'docs'.")
        return PurePosixPath(folder).as_posix()

    def reader(self) -> Git:
        """Returns what reads the documents."""
        return Git(self)

    @property
    def place(self) -> str:
        """Where the documents come from, as people would say it."""
        at = self.ref or "the default branch"
        return f"'{self.repository}' at {at}" if self.folder == "." else f"'{self.folder}' of '{self.repository}' at {at}"


class Git:
    """Reads the `git` source."""

    def __init__(self, settings: GitSource) -> None:
        self.settings = settings

    def read(self) -> SourceRead:
        """Returns a document for each page; its id is the path in `folder`, its source the page at that commit."""
        found = self._pages.read()
        at = f"commit {self._commit}"
        version = at if self.settings.ref in (None, self._commit) else f"{self.settings.ref}, {at}"
        return replace(found, documents=[self._placed(document) for document in found.documents], version=version)

    def check(self) -> list[str]:
        """Returns the relative paths of the pages; the commit is fetched first where it is not in the cache."""
        return self._pages.check()

    def reach(self) -> list[str]:
        """Returns the paths of the pages if the commit is in the cache, and none after asking for it otherwise."""
        return self.check() if self._tree(self._commit).is_dir() else []

    def sample(self, limit: int) -> list[str]:
        """Returns the texts of some pages, uncleaned."""
        return self._pages.sample(limit)

    def fingerprint(self) -> str:
        """Returns a hash of the names and contents of the pages: commits that change no page are the same."""
        return self._pages.fingerprint()

    @cached_property
    def _commit(self) -> str:
        """The commit that the ref means now; without an answer, the one that it meant when it was last asked for."""
        from finetrieve.corpus.sources.git_commands import find_commit

        key = hashlib.sha256(f"{self._address}\0{self.settings.ref}".encode()).hexdigest()[:16]
        last = _cache() / "refs" / f"{key}.json"
        try:
            commit = find_commit(self._address, self.settings.ref)
        except UnreachableError as error:
            known = _read_commit(last)
            if known is None or not self._tree(known).is_dir():
                raise
            logger.warning(f"{error} Until then commit {known[:12]} is read, as it was at the last visit.")
            return known
        last.parent.mkdir(parents=True, exist_ok=True)
        last.write_text(json.dumps({"commit": commit}))
        return commit

    @cached_property
    def _address(self) -> str:
        """The repository as an address: a path becomes one too, so that a part of it can be fetched."""
        given = self.settings.repository
        if "://" in given:
            return given
        path = Path(given).expanduser()
        if path.exists():
            return path.resolve().as_uri()
        if _SCP.fullmatch(given):
            return given
        raise InputError(
            f"No such git repository: '{given}'. Give its address, such as https://host/owner/name.git, or its path."
        )

    def _tree(self, commit: str) -> Path:
        key = hashlib.sha256("\0".join((self._address, *self._patterns)).encode()).hexdigest()[:12]
        name = (
            re.sub(r"[^\w.-]+", "-", self._address.rstrip("/").removesuffix(".git").rpartition("/")[2]).strip(".-")
            or "repository"
        )
        return _cache() / f"{name}-{commit[:12]}-{key}"

    @property
    def _patterns(self) -> list[str]:
        """Of the files that are fetched: those that are documentation by their ending."""
        folder = "" if self.settings.folder == "." else "/" + re.sub(r"([*?\[\]\\!#])", r"\\\1", self.settings.folder)
        endings = [*DOCUMENT_SUFFIXES, *API_SUFFIXES]
        return [f"{folder}/**/*{''.join(_any_case(letter) for letter in ending)}" for ending in endings]

    @cached_property
    def _pages(self) -> Folder:
        from finetrieve.corpus.sources.git_commands import fetch_files

        settings, tree = self.settings, self._tree(self._commit)
        if not tree.is_dir():
            logger.info(f"fetching commit {self._commit[:12]} of {settings.repository}")
            with made_whole(tree) as ready:
                fetch_files(self._address, self._commit, settings.ref, self._patterns, ready)
        folder = tree / settings.folder
        if not folder.is_dir():
            there = sorted(path.name for path in tree.iterdir() if path.is_dir())
            named = f" Fetched of it: {', '.join(there)}." if there else ""
            raise InputError(f"No documentation in {settings.place} (commit {self._commit[:12]}): no such folder.{named}")
        shared = settings.model_dump(include={"include", "exclude", "max_file_mb", "txt_format"})
        return Folder(FolderSource(path=str(folder), **shared))

    def _placed(self, document: Document) -> Document:
        """Returns a document with the address at which its host's site shows it, where that is known."""
        if "://" in document.source:
            return document
        path, _, part = document.source.partition("#")
        inside = path if self.settings.folder == "." else f"{self.settings.folder}/{path}"
        match = re.fullmatch(r"(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)", self._address)
        host, name = match.groups() if match else (urlsplit(self._address).hostname or "", urlsplit(self._address).path)
        name = name.strip("/").removesuffix(".git")
        view = _BLOBS.get(host) or ("-/blob" if host.startswith("gitlab.") else None)
        if view is not None:
            return replace(document, source=f"https://{host}/{name}/{view}/{self._commit}/{quote(inside)}")
        fragment = f"#{part}" if part else ""
        return replace(document, source=f"{name.rpartition('/')[2]}@{self._commit[:12]}/{inside}{fragment}")


def git_settings(text: str) -> dict[str, str] | None:
    """Returns repository, ref and folder that an argument of the command line names, None where it is no repository.

    `git+ADDRESS`, an address or path that ends in `.git`, or `user@host:path`; then perhaps `@REF` and `#FOLDER`, as with pip.
    """
    address, _, fragment = text.removeprefix("git+").partition("#")
    match = re.fullmatch(r"(?P<start>(?:[A-Za-z]+://[^/]*/|[\w.-]+@[\w.-]+:)?)(?P<path>[^@]*)(?:@(?P<ref>.+))?", address)
    if match is None:
        return None
    path = match["path"]
    is_bare = (
        not match["start"] and (Path(path).expanduser() / "HEAD").is_file() and (Path(path).expanduser() / "objects").is_dir()
    )
    is_remote = bool(match["start"]) and (path.rstrip("/").endswith(".git") or "://" not in match["start"])
    if not (text.startswith("git+") or is_bare or is_remote):
        return None
    found = {"repository": f"{match['start']}{path}"}
    if match["ref"]:
        found["ref"] = match["ref"]
    if folder := fragment.partition("&")[0].removeprefix("subdirectory="):
        found["folder"] = folder
    return found


def _any_case(letter: str) -> str:
    return f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else letter


def _cache() -> Path:
    return user_cache() / "finetrieve" / "git"


def _read_commit(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_text())["commit"])
    except (OSError, ValueError, KeyError):
        return None
