"""The answer cache: every usable answer of an LLM, by the content of its request, so that none is paid twice.

It stands between distilabel and the provider. One SQLite file in WAL mode: an answer is there whole or not at all, whatever
kills the process; any number of processes read and write it; all recipes and runs share it. Only answers that passed
validation are kept, under the request as it was first made, however often it took to get them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetrieve.core.errors import InputError
from finetrieve.core.failures import is_disk_full
from finetrieve.core.paths import user_cache
from finetrieve.generation.settings import GenerationSettings, TripletRecipe

FORMAT = 1
_FILE = "answers.sqlite"
_LOCK = "making.lock"
_BUSY_SECONDS = 60.0
_KEYS_AT_ONCE = 500
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
class Answer:
    """An answer that can be used, and what it cost."""

    text: str
    input_tokens: int
    output_tokens: int
    shortened: bool
    """The chunk did not fit the model's window whole."""


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """What a cache holds and how well it served."""

    answers: int
    bytes: int
    input_tokens: int
    output_tokens: int
    hits: int
    misses: int
    models: dict[str, int]
    """Model -> answers."""


def answers_directory(settings: GenerationSettings) -> Path:
    """Returns where the cache is: as configured, or `finetrieve/answers` in the user's cache directory."""
    if settings.answers is not None:
        return Path(settings.answers).expanduser()
    return user_cache() / "finetrieve" / "answers"


def failure_scope(settings: GenerationSettings) -> str:
    """Returns the name under which the runs of these recipes that ended with failed requests are counted."""
    asked = [recipe.model_dump(mode="json") for recipe in settings.recipes]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def failed_generations(settings: GenerationSettings) -> int:
    """Returns how many runs of these recipes ended with failed requests, without making a cache.

    Raises:
        InputError: The cache cannot be used.
    """
    directory = answers_directory(settings)
    if not any(isinstance(recipe, TripletRecipe) for recipe in settings.recipes) or not (directory / _FILE).exists():
        return 0
    cache = AnswerCache(directory)
    try:
        return cache.failed_runs(failure_scope(settings))
    finally:
        cache.close()


def generation_state(settings: GenerationSettings) -> str:
    """Returns what decides the queries beside settings and chunks: the templates' texts, and the runs that left something out.

    A template that cannot be read counts as empty: who needs it says so.

    Raises:
        InputError: The cache cannot be used.
    """
    paths = [Path(recipe.template) for recipe in settings.recipes if isinstance(recipe, TripletRecipe) and recipe.template]
    texts = [path.read_bytes() if path.is_file() else b"" for path in paths]
    digest = hashlib.sha256(b"\0".join(texts)).hexdigest()[:12] if texts else "none"
    return f"failed {failed_generations(settings)}, templates {digest}"


def request_key(request: dict[str, Any]) -> bytes:
    """Returns the hash of everything that decides an answer: provider, address, model, settings, messages."""
    canonical = json.dumps(request, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).digest()


class AnswerCache:
    """The answers in one directory; open it in the process that uses it.

    Raises:
        InputError: The directory cannot be used, is full, or was written by another version.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        with _said_plainly(directory):
            directory.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(directory / _FILE, timeout=_BUSY_SECONDS, isolation_level=None)
            self._prepare()

    def _prepare(self) -> None:
        # In WAL mode a commit is safe from whatever happens to this process; only a power cut may cost the last ones.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        if self._format() == FORMAT:
            return
        # Several processes may get here at once: who is second waits, and finds everything made. SQLite's own lock does not
        # wait while the journal mode is changed.
        with (self.directory / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._connection.execute("PRAGMA journal_mode = WAL")
            with self._transaction():
                self._make_tables()

    def _format(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _make_tables(self) -> None:
        found = self._format()
        if found == FORMAT:
            return
        if self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise InputError(
                f"The answer cache in '{self.directory}' has format {found}; this version reads format {FORMAT}. "
                "Give another directory with generation.answers, or delete this one: its answers are then asked for again."
            )
        for statement in _TABLES.strip().split(";\n"):
            self._connection.execute(statement)
        self._connection.execute(f"PRAGMA user_version = {FORMAT}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Answer]:
        """Returns the answers that are there, by key, and counts hits and misses."""
        found: dict[bytes, Answer] = {}
        with _said_plainly(self.directory):
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                part = list(keys[start : start + _KEYS_AT_ONCE])
                marks = ",".join("?" * len(part))
                rows = self._connection.execute(
                    f"SELECT key, text, input_tokens, output_tokens, shortened FROM answers WHERE key IN ({marks})", part
                )
                found |= {row[0]: Answer(row[1], row[2], row[3], bool(row[4])) for row in rows}
            if keys:
                self._count(found, len(keys) - sum(key in found for key in keys))
        return found

    def _count(self, found: dict[bytes, Answer], misses: int) -> None:
        with self._transaction():
            self._connection.executemany("UPDATE answers SET used = ? WHERE key = ?", ((time.time(), key) for key in found))
            self._connection.executemany(
                "INSERT INTO counts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                [("hits", len(found)), ("misses", misses)],
            )

    def peek(self, keys: Sequence[bytes]) -> set[bytes]:
        """Returns which keys have an answer; counts nothing."""
        with _said_plainly(self.directory):
            found: set[bytes] = set()
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                part = list(keys[start : start + _KEYS_AT_ONCE])
                marks = ",".join("?" * len(part))
                found |= {row[0] for row in self._connection.execute(f"SELECT key FROM answers WHERE key IN ({marks})", part)}
            return found

    def put(self, key: bytes, answer: Answer, model: str) -> None:
        """Keeps an answer; it survives whatever happens to this process afterwards."""
        self.put_all({key: answer}, model)

    def put_all(self, answers: dict[bytes, Answer], model: str) -> None:
        """Keeps answers, all of them or none."""
        now = time.time()
        rows = (
            (key, answer.text, answer.input_tokens, answer.output_tokens, int(answer.shortened), model, now, now)
            for key, answer in answers.items()
        )
        with _said_plainly(self.directory), self._transaction():
            self._connection.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def failed_runs(self, scope: str) -> int:
        """Returns how many runs of a scope ended with failed requests: a run after one of them must ask again."""
        with _said_plainly(self.directory):
            row = self._connection.execute("SELECT times FROM failures WHERE scope = ?", (scope,)).fetchone()
        return int(row[0]) if row else 0

    def note_failed_run(self, scope: str) -> None:
        """Counts a run that ended with failed requests."""
        with _said_plainly(self.directory):
            self._connection.execute(
                "INSERT INTO failures VALUES (?, 1) ON CONFLICT (scope) DO UPDATE SET times = times + 1", (scope,)
            )

    def statistics(self) -> CacheStatistics:
        """Returns sizes and counts."""
        with _said_plainly(self.directory):
            number, read, written = self._connection.execute(
                "SELECT count(*), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0) FROM answers"
            ).fetchone()
            models = dict(self._connection.execute("SELECT model, count(*) FROM answers GROUP BY model ORDER BY 2 DESC, 1"))
            counts = dict(self._connection.execute("SELECT name, value FROM counts"))
        size = sum(path.stat().st_size for path in self.directory.glob(f"{_FILE}*"))
        return CacheStatistics(number, size, read, written, counts.get("hits", 0), counts.get("misses", 0), models)

    def prune(self, unused_for: float | None = None, model: str | None = None) -> int:
        """Deletes answers and returns how many.

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
        with _said_plainly(self.directory):
            deleted = self._connection.execute(f"DELETE FROM answers WHERE {' AND '.join(conditions)}", values).rowcount
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return deleted

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()


@contextmanager
def _said_plainly(directory: Path) -> Iterator[None]:
    """Turns what SQLite and the file system say into one line that names the setting."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        text = str(error).lower()
        if is_disk_full(error) or "disk i/o" in text:
            what = "its disk is full or broken; free some space"
        elif "readonly" in text or "read-only" in text or "permission" in text or "unable to open" in text:
            what = "it cannot be written; check its owner and mode"
        elif "locked" in text:
            what = f"another process held it for more than {_BUSY_SECONDS:.0f} s; try again"
        elif "malformed" in text or "not a database" in text:
            what = "its file is no SQLite database or is damaged; delete it"
        elif "exists" in text or "not a directory" in text:
            what = "it is a file"
        else:
            what = f"{error}"
        raise InputError(
            f"The answer cache in '{directory}' cannot be used: {what}, or give another directory with generation.answers."
        ) from error
