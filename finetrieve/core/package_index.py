"""Files of projects on the package index that pip is configured with: listed, downloaded once, verified, kept in a cache."""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

from finetrieve.core.errors import InputError, UnreachableError
from finetrieve.core.failures import error_line

if TYPE_CHECKING:
    import httpx

PYPI = "https://pypi.org/simple"
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""The Simple API as JSON (PEP 691), or else as HTML (PEP 503)."""
TIMEOUT_SECONDS = 15.0
"""Without an answer, or without the next bytes of one."""


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file of a project: a wheel or a source package."""

    name: str
    url: str
    hashes: dict[str, str]
    """Algorithm -> hexadecimal digest, as the index states them."""


class PackageIndex:
    """An open connection to a package index; `open_index` gives one."""

    def __init__(self, client: httpx.Client, address: httpx.URL) -> None:
        self._client, self._address = client, address

    @property
    def address(self) -> str:
        """Returns the index's address, without a password."""
        return _without_password(self._address)

    def files(self, package: str, correct: str) -> list[PackageFile]:
        """Returns all files of a project.

        Args:
            package: Its name.
            correct: What to do where there is no such project.

        Raises:
            InputError: There is none, or what answers is no package index.
        """
        answer = self._client.get(f"{str(self._address).rstrip('/')}/{normalized(package)}/")
        if answer.status_code == 404:
            raise InputError(f"No project '{package}' on the package index {self.address}. {correct}")
        answer.raise_for_status()
        if "json" in answer.headers.get("Content-Type", ""):
            try:
                entries = [(item["filename"], item["url"], item.get("hashes") or {}) for item in answer.json()["files"]]
            except (ValueError, KeyError, TypeError):
                raise InputError(f"{self.address} is no package index: its answer is not PEP 691's JSON.") from None
        else:
            page = _Links()
            page.feed(answer.text)
            entries = [(name, href, _hash_in(href)) for name, href in page.found]
        return [PackageFile(name, str(_with_login(answer.url.join(url), self._address)), hashes) for name, url, hashes in entries]

    def download(self, file: PackageFile, target: Path) -> str:
        """Writes a file and returns its SHA-256, after comparing it with the hashes that the index states.

        Raises:
            InputError: It arrived with another hash.
        """
        digests = {name: hashlib.new(name) for name in {"sha256", *file.hashes} if name in hashlib.algorithms_guaranteed}
        with (
            self._client.stream("GET", file.url, headers={"Accept": "*/*", "Accept-Encoding": "identity"}) as answer,
            target.open("wb") as out,
        ):
            answer.raise_for_status()
            for block in answer.iter_raw():
                out.write(block)
                for digest in digests.values():
                    digest.update(block)
        for name, expected in file.hashes.items():
            if name in digests and digests[name].hexdigest() != expected:
                seen = short_hash(digests[name].hexdigest())
                raise InputError(
                    f"{file.name} arrived with {name} {seen}, but the index states {short_hash(expected)}. Try again."
                )
        return digests["sha256"].hexdigest()


@contextmanager
def open_index(wanted: str) -> Iterator[PackageIndex]:
    """Yields the index; every failure of the network becomes one line without the index's password.

    Args:
        wanted: What is fetched, as messages call it, such as `The source package of django 6.1.3`.

    Raises:
        UnreachableError: The index does not answer, or pip's address of it is none.
        InputError: pip's certificates cannot be read.
    """
    import httpx

    problem = f"{wanted} is not in the cache and cannot be fetched:"
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
            yield PackageIndex(client, index)
    except httpx.HTTPStatusError as error:
        said = f"{error.response.status_code} {error.response.reason_phrase}".strip()
        raise UnreachableError(f"{problem} {shown} answered {said}. Check PIP_INDEX_URL.") from None
    except httpx.HTTPError as error:
        raise UnreachableError(
            f"{problem} no connection to {shown} ({error_line(error, 120)}). Check the network, or PIP_INDEX_URL."
        ) from None


def normalized(package: str) -> str:
    """Returns a project's name as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", package).lower()


def short_hash(digest: str) -> str:
    """Returns the beginning of a hexadecimal digest, as messages show it."""
    return f"{digest[:12]}..."


def _pip_settings() -> dict[str, str]:
    """Returns pip's settings by name (`index-url`), from the environment before its configuration files."""
    given = {name[4:].lower().replace("_", "-"): value for name, value in os.environ.items() if name.startswith("PIP_") and value}
    return {**_file_settings(os.environ.get("PIP_CONFIG_FILE")), **given}


@functools.cache
def _file_settings(_named: str | None) -> dict[str, str]:
    """Returns what pip's files of settings say, the named one included; asked once, since pip takes half a second to tell."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        listed = ""
    found = re.findall(r"^global\.([\w-]+)=(['\"].*)$", listed, flags=re.MULTILINE)
    return {name: str(ast.literal_eval(value)) for name, value in found}


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
