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

from finetrieve.core.code_hash import plugin_hash
from finetrieve.core.errors import InputError
from finetrieve.core.kv_store import KeyValueStore, explain_store_error
from finetrieve.core.paths import user_cache
from finetrieve.generation.settings import GenerationSettings
from finetrieve.retrieval.base_model import model_fingerprint

FORMAT = 1
_FILE = "answers.sqlite"
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


def response_cache_directory(settings: GenerationSettings) -> Path:
    """Returns where the cache is: as configured, or `finetrieve/answers` in the user's cache directory."""
    if settings.answers is not None:
        return Path(settings.answers).expanduser()
    return user_cache() / "finetrieve" / "answers"


def failure_scope(settings: GenerationSettings) -> str:
    """Returns the name under which the runs of these recipes that ended with failed requests are counted."""
    return scope_of(settings.recipes)


def scope_of(askers: Iterable[BaseModel]) -> str:
    """Returns the same for any settings by which an LLM is asked."""
    asked = [asker.model_dump(mode="json") for asker in askers]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def failed_generations(settings: GenerationSettings) -> int:
    """Returns how many runs of these recipes ended with failed requests, without making a cache.

    Raises:
        InputError: The cache cannot be used.
    """
    if not any(recipe.asks_llm for recipe in settings.recipes):
        return 0
    return failed_runs(response_cache_directory(settings), failure_scope(settings))


def failed_runs(directory: Path, scope: str) -> int:
    """Returns how many runs of a scope ended with failed requests, likewise.

    Raises:
        InputError: The cache cannot be used.
    """
    if not (directory / _FILE).exists():
        return 0
    cache = ResponseCache(directory)
    try:
        return cache.failed_runs(scope)
    finally:
        cache.close()


def generation_state(settings: GenerationSettings) -> str:
    """Returns what decides the queries beside settings and chunks: templates, code of plug-ins, the models that find topics or
    tell which chunks are alike, and runs that left something out.

    A template that cannot be read counts as empty: who needs it says so.

    Raises:
        InputError: The cache cannot be used.
    """
    texts = [path.read_bytes() if path.is_file() else b"" for recipe in settings.recipes for path in recipe.files()]
    digest = hashlib.sha256(b"\0".join(texts)).hexdigest()[:12] if texts else "none"
    found_by = f", topics by {model_fingerprint(settings.topics.embedding_model)[:12]}" if settings.topics is not None else ""
    models = sorted({model for recipe in settings.recipes for model in recipe.models()})
    alike = "".join(f", likeness by {model_fingerprint(model)[:12]}" for model in models)
    plugins = plugin_hash(plugin for recipe in settings.recipes for plugin in recipe.plugins())
    return (
        f"failed {failed_generations(settings)}, templates {digest}{found_by}{alike}{f', plug-ins {plugins}' if plugins else ''}"
    )


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
                self._store = KeyValueStore(directory / _FILE, _TABLES, FORMAT)
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
        size = sum(path.stat().st_size for path in self.directory.glob(f"{_FILE}*"))
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
