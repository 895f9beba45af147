"""Hidden folders in which results are written before they are moved to their place, so that each is there whole or not at all."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = ".finetrieve-"
_LOCK = ".lock"


@contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """Yields an empty folder in `parent` that is removed at the end, after removing those that killed processes left there."""
    for left in parent.glob(f"{_PREFIX}*/{_LOCK}"):
        _remove_unless_locked(left)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent) as name:
        folder = Path(name)
        with (folder / f"{_LOCK}.new").open("w") as lock:
            with suppress(OSError):  # a file system without locks: nothing is removed there later
                fcntl.flock(lock, fcntl.LOCK_EX)
                (folder / f"{_LOCK}.new").rename(folder / _LOCK)  # never seen without its lock
            yield folder


def _remove_unless_locked(lock_file: Path) -> None:
    try:
        with lock_file.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock_file.parent, ignore_errors=True)
    except OSError:  # somebody works in it, or has just removed it
        return
