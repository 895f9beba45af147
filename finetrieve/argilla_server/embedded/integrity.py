"""Whether a SQLite file is whole, and that its write-ahead log stays. Imports only the standard library."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

_READ_THROUGH_BYTES = 500_000_000
"""About two seconds; of a larger file only the head is looked at."""


def check(path: Path) -> None:
    """Puts the database in WAL mode, made if it is not there, and looks whether it lost a part of itself.

    What is missing would otherwise only be met when somebody looks for it.

    Raises:
        sqlite3.DatabaseError: It is no database, or a part is missing.
    """
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        path.chmod(0o600)
        if path.stat().st_size > _READ_THROUGH_BYTES:
            return
        [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(" ".join(str(found).split()))


@contextmanager
def held_open(path: Path) -> Iterator[None]:
    """Keeps an idle connection to the database.

    Whenever its last connection closes, SQLite empties the write-ahead log and removes it. The server opens one for each
    request, so that would be after nearly every one.
    """
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield
