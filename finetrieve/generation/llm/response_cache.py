"""The response cache: every usable response of an LLM, by the content of its request, so that none is paid twice.

It stands between distilabel and the provider; all recipes and runs share it. Only responses that passed validation are kept,
under the request as it was first made, however often it took to get them.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from finetrieve.core.errors import InputError
from finetrieve.core.kv_store import KeyValueStore, explain_store_error

FORMAT = 1
CACHE_FILE = "answers.sqlite"
_TABLES = """
CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY,
    text TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    shortened INTEGER NOT NULL,
    model TEXT NOT NULL,
    made REAL NOT NULL,
    used REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failures (scope TEXT PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """A usable response, and what it cost."""

    text: str
    input_tokens: int
    output_tokens: int
    shortened: bool
    """The chunk did not fit the model's window whole."""


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """What a cache holds and how well it served."""

    responses: int
    bytes: int
    input_tokens: int
    output_tokens: int
    hits: int
    misses: int
    models: dict[str, int]
    """Model -> responses."""


def scope_of(askers: Iterable[BaseModel]) -> str:
    """Returns the name under which the runs of some settings that ended with failed requests are counted."""
    asked = [asker.model_dump(mode="json") for asker in askers]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def failed_runs(directory: Path, scope: str) -> int:
    """Returns how many runs of a scope ended with failed requests, without making a cache.

    Raises:
        InputError: The cache cannot be used.
    """
    if not (directory / CACHE_FILE).exists():
        return 0
    cache = ResponseCache(directory)
    try:
        return cache.failed_runs(scope)
    finally:
        cache.close()


def request_key(request: dict[str, Any]) -> bytes:
    """Returns the hash of everything that decides an answer: provider, address, model, settings, messages."""
    canonical = json.dumps(request, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).digest()


class ResponseCache:
    """The responses in one directory; open it in the process that uses it.

    Raises:
        InputError: The directory cannot be used, is full, or was written by another version.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        with _explained(directory):
            try:
                self._store = KeyValueStore(directory / CACHE_FILE, _TABLES, FORMAT)
            except ValueError as error:
                raise InputError(
                    f"The answer cache in '{directory}' has format {error}; this version reads format {FORMAT}. "
                    "Give another directory with generation.answers, or delete this one: its answers are then asked for again."
                ) from None

    def get(self, keys: Sequence[bytes]) -> dict[bytes, CachedResponse]:
        """Returns the responses that are there, by key, and counts hits and misses."""
        with _explained(self.directory):
            rows = self._store.rows("key, text, input_tokens, output_tokens, shortened", "answers", keys)
            found = {row[0]: CachedResponse(row[1], row[2], row[3], bool(row[4])) for row in rows}
            if keys:
                self._count(found, len(keys) - sum(key in found for key in keys))
        return found

    def _count(self, found: Iterable[bytes], misses: int) -> None:
        now = time.time()
        used = [(now, key) for key in found]
        with self._store.transaction() as connection:
            connection.executemany("UPDATE answers SET used = ? WHERE key = ?", used)
            connection.executemany(
                "INSERT INTO counts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                [("hits", len(used)), ("misses", misses)],
            )

    def peek(self, keys: Sequence[bytes]) -> set[bytes]:
        """Returns which keys have a response; counts nothing."""
        with _explained(self.directory):
            return {key for (key,) in self._store.rows("key", "answers", keys)}

    def put(self, key: bytes, response: CachedResponse, model: str) -> None:
        """Keeps a response; it survives whatever happens to this process afterwards."""
        self.put_all({key: response}, model)

    def put_all(self, responses: Mapping[bytes, CachedResponse], model: str) -> None:
        """Keeps responses, all of them or none."""
        now = time.time()
        rows = (
            (key, response.text, response.input_tokens, response.output_tokens, int(response.shortened), model, now, now)
            for key, response in responses.items()
        )
        with _explained(self.directory), self._store.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def failed_runs(self, scope: str) -> int:
        """Returns how many runs of a scope ended with failed requests: a run after one of them must ask again."""
        with _explained(self.directory):
            row = self._store.connection.execute("SELECT times FROM failures WHERE scope = ?", (scope,)).fetchone()
        return int(row[0]) if row else 0

    def note_failed_run(self, scope: str) -> None:
        """Counts a run that ended with failed requests."""
        with _explained(self.directory):
            self._store.connection.execute(
                "INSERT INTO failures VALUES (?, 1) ON CONFLICT (scope) DO UPDATE SET times = times + 1", (scope,)
            )

    def statistics(self) -> CacheStatistics:
        """Returns sizes and counts."""
        with _explained(self.directory):
            number, read, written = self._store.connection.execute(
                "SELECT count(*), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0) FROM answers"
            ).fetchone()
            models = dict(self._store.connection.execute("SELECT model, count(*) FROM answers GROUP BY model ORDER BY 2 DESC, 1"))
            counts = dict(self._store.connection.execute("SELECT name, value FROM counts"))
        size = sum(path.stat().st_size for path in self.directory.glob(f"{CACHE_FILE}*"))
        return CacheStatistics(number, size, read, written, counts.get("hits", 0), counts.get("misses", 0), models)

    def prune(self, unused_for: float | None = None, model: str | None = None) -> int:
        """Deletes responses and returns how many.

        Args:
            unused_for: Only those that no run used for so many seconds.
            model: Only those of this model.
        """
        conditions, values = ["1"], []
        if unused_for is not None:
            conditions.append("used < ?")
            values.append(time.time() - unused_for)
        if model is not None:
            conditions.append("model = ?")
            values.append(model)  # type: ignore[arg-type]
        with _explained(self.directory):
            deleted = self._store.connection.execute(f"DELETE FROM answers WHERE {' AND '.join(conditions)}", values).rowcount
            self._store.connection.execute("VACUUM")
            self._store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return deleted

    def close(self) -> None:
        """Closes the file."""
        self._store.close()


@contextmanager
def _explained(directory: Path) -> Iterator[None]:
    """Turns an error of SQLite or of the file system into one line that names the setting."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise InputError(
            f"The answer cache in '{directory}' cannot be used: {explain_store_error(error)}, "
            "or give another directory with generation.answers."
        ) from error
