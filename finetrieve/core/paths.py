"""Folders: the user's cache, and ones that last as long as the process."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The project's folder: configs, pipelines and steps lie beside the library."""
_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def user_cache() -> Path:
    """Returns the user's cache directory, which need not exist: XDG_CACHE_HOME, or `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def scratch_folder() -> Path:
    """Returns a new, empty folder in the system's place for temporary files; it is removed when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="finetrieve-", ignore_cleanup_errors=True)
    _KEPT.append(folder)
    return Path(folder.name)
