"""Web pages that were fetched, kept in the user's cache: each is there whole or not at all, whatever is killed."""

from __future__ import annotations

import fcntl
import json
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from finetrieve.core.errors import InputError
from finetrieve.core.kv_store import KeyValueStore, explain_store_error
from finetrieve.core.logging import get_logger
from finetrieve.core.rows import Skipped
from finetrieve.corpus.crawling.fetching import Answer

logger = get_logger(__name__)

TABLES = """
CREATE TABLE IF NOT EXISTS pages (key TEXT PRIMARY KEY, fetched REAL, status INTEGER, reason TEXT, location TEXT, kind TEXT,
    charset TEXT, etag TEXT, modified TEXT, body BLOB);
CREATE TABLE IF NOT EXISTS crawls (key TEXT PRIMARY KEY, started REAL, active REAL, finished REAL, result TEXT)
"""
VERSION = 1


@dataclass(frozen=True, slots=True)
class StoredPage(Answer):
    """What a server last said of an address."""

    fetched: float = 0.0
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class CrawlResult:
    """Which pages of a site are read, and which are not."""

    pages: list[tuple[str, str]]
    """Address and kind (`html`, `markdown`, ..., `llms-full`), by address."""
    copies: dict[str, str]
    """Address -> the page that it names as its canonical address."""
    skipped: list[Skipped]
    finished: float = 0.0
    """Seconds since 1970."""


class PageStore:
    """The pages of one host, and what became of the crawls there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._store = KeyValueStore(path, TABLES, VERSION)

    def close(self) -> None:
        """Closes the file."""
        self._store.close()

    def page(self, address: str) -> StoredPage | None:
        """Returns what is known of an address."""
        query = "SELECT status, reason, location, kind, charset, etag, modified, body, fetched FROM pages WHERE key = ?"
        row = self._store.connection.execute(query, (address,)).fetchone()
        if row is None:
            return None
        kept = StoredPage(*row)
        try:
            return replace(kept, body=zlib.decompress(kept.body))
        except zlib.error:  # Damaged: it is fetched again.
            return None

    def keep(self, address: str, page: StoredPage) -> None:
        """Keeps a page in place of the one there was."""
        row = {"key": address, **asdict(page), "body": zlib.compress(page.body, 6)}
        names = ", ".join(f":{name}" for name in row)
        self._store.connection.execute(f"REPLACE INTO pages ({', '.join(row)}) VALUES ({names})", row)

    def crawl(self, key: str) -> tuple[float, float, float]:
        """Returns when the last crawl began, last asked the server, and when one was last finished; 0 for never."""
        query = "SELECT started, active, finished FROM crawls WHERE key = ?"
        row = self._store.connection.execute(query, (key,)).fetchone()
        return row or (0.0, 0.0, 0.0)

    def begin(self, key: str, started: float) -> None:
        """Notes that a crawl begins; the result of the last one stays until it is finished."""
        query = "INSERT INTO crawls VALUES (?, ?, ?, 0, '') ON CONFLICT (key) DO UPDATE SET started = ?, active = ?"
        self._store.connection.execute(query, (key, started, started, started, started))

    def touch(self, key: str) -> None:
        """Notes that a crawl is still at work."""
        self._store.connection.execute("UPDATE crawls SET active = ? WHERE key = ?", (time.time(), key))

    def finish(self, key: str, result: CrawlResult) -> None:
        """Keeps the result of a crawl."""
        query = "UPDATE crawls SET finished = ?, result = ? WHERE key = ?"
        self._store.connection.execute(query, (result.finished, json.dumps(asdict(result)), key))

    def result(self, key: str) -> CrawlResult | None:
        """Returns the result of the last finished crawl."""
        row = self._store.connection.execute("SELECT result FROM crawls WHERE key = ?", (key,)).fetchone()
        if row is None or not row[0]:
            return None
        found = json.loads(row[0])
        pages, skipped = [(page[0], page[1]) for page in found["pages"]], [Skipped(**item) for item in found["skipped"]]
        return CrawlResult(pages, found["copies"], skipped, found["finished"])


@contextmanager
def open_store(path: Path, alone: bool = False) -> Iterator[PageStore]:
    """Yields the store of a host; `alone`: while no other process asks that host.

    Raises:
        InputError: The file cannot be used.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("a") as lock:
            if alone:
                _lock(lock.fileno(), path.stem)
            store = PageStore(path)
            try:
                yield store
            finally:
                store.close()
    except (sqlite3.Error, OSError) as error:
        raise InputError(f"Cannot keep web pages at '{path}': {explain_store_error(error)}.") from None
    except ValueError as error:
        if not (error.args and isinstance(error.args[0], int)):
            raise
        raise InputError(f"'{path}' was written by another version of this program; delete it.") from None


def _lock(descriptor: int, host: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logger.info(f"another process reads pages of {host}; waiting for it")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
