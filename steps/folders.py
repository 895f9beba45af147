"""Folders that last as long as the process."""

from __future__ import annotations

import tempfile
from pathlib import Path

_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def scratch_folder() -> Path:
    """Returns a new, empty folder in the system's place for temporary files; it is removed when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="finetrieve-", ignore_cleanup_errors=True)
    _KEPT.append(folder)
    return Path(folder.name)
