"""The start of the server before Argilla is imported: the database file checked, errors explained, a heavy module deferred.

Imports only the standard library.
"""

from __future__ import annotations

import errno
import importlib
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

_READ_THROUGH_BYTES = 500_000_000
"""About two seconds; of a larger database only the head is looked at."""
_HUB = "argilla_server.contexts.hub"


class StartError(Exception):
    """Why the server cannot start, in one line."""


def explain(error: BaseException, database: Path) -> StartError | None:
    """Returns the line for what is wrong with the machine or with the home, or None for what nobody foresaw."""
    for cause in _causes(error):
        words = str(cause)
        if "disk is full" in words or (isinstance(cause, OSError) and cause.errno == errno.ENOSPC) or "No space left" in words:
            return StartError(f"the disk with {database.parent} is full. Free some space and start again; nothing is lost.")
        if isinstance(cause, PermissionError) or "readonly database" in words or "unable to open database" in words:
            return StartError(f"{database.parent} cannot be written. Check the owner and the mode of the folder and its files.")
        if "database is locked" in words:
            return StartError(f"{database} is in use by another program. Close it and start again.")
        if "Can't locate revision" in words:
            return StartError(f"{database} was made by another version of Argilla. Use that one, or name another folder.")
        if isinstance(cause, sqlite3.DatabaseError):
            return StartError(
                f"the database {database} is damaged ({words}). Put a copy of it back, or move it away and start again: "
                "an empty one is made."
            )
    return None


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain


def check_database(path: Path) -> None:
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
def hold_open(path: Path) -> Iterator[None]:
    """Keeps an idle connection to the database.

    Whenever its last connection closes, SQLite empties the write-ahead log and removes it. The server opens one for each
    request, so that would be after nearly every one.
    """
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield


def defer_hub() -> None:
    """Puts a module in the place of Argilla's Hugging Face Hub module, which is imported when one of its classes is called.

    It brings pandas and datasets, a second and 80 MB. Must be called before argilla_server is imported.
    """
    stand_in = ModuleType(_HUB)
    for name in ("HubDataset", "HubDatasetExporter"):
        setattr(stand_in, name, _Deferred(name))
    sys.modules[_HUB] = stand_in


class _Deferred:
    """A class that is imported when it is called."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *arguments: Any) -> Any:
        if isinstance(getattr(sys.modules[_HUB], self._name), _Deferred):
            del sys.modules[_HUB]
            importlib.import_module(_HUB)
        return getattr(sys.modules[_HUB], self._name)(*arguments)
