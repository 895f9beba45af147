"""A key-value store in one SQLite file, for any number of processes; a row is there whole or not at all, whatever kills one."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finetrieve.core.failures import is_disk_full

BUSY_SECONDS = 60.0
_KEYS_AT_ONCE = 500


class KeyValueStore:
    """Tables whose primary key is the column `key`; open it in the process that uses it.

    Args:
        path: The file, made where it is missing.
        tables: `CREATE TABLE IF NOT EXISTS` statements, separated by semicolons.
        version: Of the tables, kept in the file; None: there is none.
        busy_seconds: How long another process may hold it.

    Raises:
        ValueError: The file has tables of another version, which is the argument.
        sqlite3.Error: It cannot be used; `explain_store_error` says why.
        OSError: Likewise.
    """

    def __init__(self, path: Path, tables: str, version: int | None = None, busy_seconds: float = BUSY_SECONDS) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self._version = path, version
        self.connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
        # In WAL mode a commit is safe from whatever happens to this process; only a power cut may cost the last ones.
        self.connection.execute("PRAGMA synchronous = NORMAL")
        if not self._is_ready():
            self._make_tables(tables)

    def _is_ready(self) -> bool:
        """Whether the tables are there, as far as the version tells."""
        return self._n_tables() > 0 if self._version is None else self._pragma("user_version") == self._version

    def _pragma(self, name: str) -> int:
        return int(self.connection.execute(f"PRAGMA {name}").fetchone()[0])

    def _n_tables(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])

    def _make_tables(self, tables: str) -> None:
        # Several processes may get here at once: who is second waits, and finds everything made. SQLite's own lock does not
        # wait while the journal mode is changed.
        with self.path.with_name("making.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.connection.execute("PRAGMA journal_mode = WAL")
            with self.transaction():
                if self._is_ready():
                    return
                if self._n_tables():
                    raise ValueError(self._pragma("user_version"))
                for statement in tables.strip().split(";"):
                    self.connection.execute(statement)
                if self._version is not None:
                    self.connection.execute(f"PRAGMA user_version = {self._version}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yields the connection; what the block writes is there as a whole or not at all."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def rows(self, columns: str, table: str, keys: Sequence[bytes]) -> Iterator[tuple[Any, ...]]:
        """Yields the columns of the rows that have one of the keys."""
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            part = list(keys[start : start + _KEYS_AT_ONCE])
            marks = ",".join("?" * len(part))
            yield from self.connection.execute(f"SELECT {columns} FROM {table} WHERE key IN ({marks})", part)

    def close(self) -> None:
        """Closes the file."""
        self.connection.close()


def explain_store_error(error: sqlite3.Error | OSError) -> str:
    """Returns what is wrong with a store's file or disk, and what to do."""
    text = str(error).lower()
    if is_disk_full(error) or "disk i/o" in text:
        return "its disk is full or broken; free some space"
    if "readonly" in text or "read-only" in text or "permission" in text or "unable to open" in text:
        return "it cannot be written; check its owner and mode"
    if "locked" in text:
        return f"another process held it for more than {BUSY_SECONDS:.0f} s; try again"
    if is_damaged(error):
        return "its file is no SQLite database or is damaged; delete it"
    if "exists" in text or "not a directory" in text:
        return "it is a file"
    return f"{error}"


def is_damaged(error: BaseException) -> bool:
    """Whether the file is no SQLite database any more."""
    return "malformed" in str(error) or "not a database" in str(error)
