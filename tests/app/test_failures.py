from __future__ import annotations

import errno
import shutil

import pytest

from finetrieve.app.failures import explain


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")]),
        RuntimeError("(sqlite3.OperationalError) database or disk is full"),
    ],
)
def test_a_full_disk_is_named_however_it_is_reported(error: Exception) -> None:
    assert explain(error).startswith("the disk is full.")


def test_a_read_only_disk_is_named() -> None:
    error = OSError(errno.EROFS, "Read-only file system", "store/config.yaml")
    assert explain(error) == "'store/config.yaml' cannot be written: its disk is read-only."


def test_another_failure_is_one_line_with_its_type() -> None:
    assert explain(RuntimeError("two\nlines")) == "RuntimeError: two lines (FINETRIEVE_DEBUG=1 shows the traceback.)"
