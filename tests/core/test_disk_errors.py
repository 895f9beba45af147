"""Which errors say that a disk is full."""

from __future__ import annotations

import errno

import pytest

from finetrieve.core.failures import causes, is_disk_full


@pytest.mark.parametrize(
    ("problem", "full"),
    [
        (OSError(errno.ENOSPC, "anything"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (RuntimeError("the shapes differ"), False),
    ],
)
def test_a_full_disk_is_told_by_its_number_or_its_words(problem: BaseException | str, full: bool) -> None:
    assert is_disk_full(problem) == full


def test_a_full_disk_is_found_behind_the_error_that_a_library_raises() -> None:
    outer, inner = RuntimeError("cannot save"), OSError(errno.ENOSPC, "full")
    outer.__cause__, inner.__context__ = inner, outer  # a circle ends
    assert causes(outer) == [outer, inner]
    assert is_disk_full(outer)
