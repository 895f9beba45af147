"""One line for why the server cannot start. Imports only the standard library."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path


class StartError(Exception):
    """Why the server cannot start, in one line."""


def explained(error: BaseException, database: Path) -> StartError | None:
    """Returns the line for what is wrong with the machine or with the home, or None for what nobody foresaw.

    Args:
        error: What happened.
        database: The file with the home's data.
    """
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
