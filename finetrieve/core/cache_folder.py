"""A folder in the user's cache that appears as a whole or not at all, whatever is killed."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STALE_SECONDS = 3600.0
"""A fetch that is older was killed."""


@contextmanager
def made_whole(target: Path) -> Iterator[Path]:
    """Yields an empty folder that becomes `target` when the block ends; of two processes at once either's will do."""
    _remove_stale(target.parent)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as scratch:
        ready = Path(scratch, "ready")
        ready.mkdir()
        yield ready
        try:
            ready.rename(target)
        except OSError:
            if not target.is_dir():  # Otherwise another process was first.
                raise


def _remove_stale(folder: Path) -> None:
    """Removes what killed processes left."""
    for left in folder.glob(".fetch-*"):
        try:
            stale = time.time() - left.stat().st_mtime > STALE_SECONDS
        except OSError:
            continue
        if stale:
            shutil.rmtree(left, ignore_errors=True)
