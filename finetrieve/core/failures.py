"""Classification of errors: a full disk, an interrupt, and what an error was raised from."""

from __future__ import annotations

import errno

_FULL_DISK = (
    "database or disk is full",  # SQLite
    "No space left",  # the system's own words, also inside other errors and in what pip prints
    "os error 28",  # safetensors
    "PytorchStreamWriter failed",  # torch, as is the next
    "file write failed",
)
_STOPS = ("RunInterruptedException", "RunStoppedException")
"""What ZenML raises where a signal came."""


def causes(error: BaseException) -> list[BaseException]:
    """Returns the error and everything it was raised from, the error first."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain


def error_line(error: BaseException, characters: int | None = None) -> str:
    """Returns an error's message on one line, the beginning alone where it is longer; its type's name where it has none."""
    return " ".join(str(error).split())[:characters] or type(error).__name__


def was_interrupted(error: BaseException) -> bool:
    """Returns whether an error came of Ctrl-C: whoever cleans up then, ZenML above all, may fail and say something else."""
    return any(isinstance(cause, KeyboardInterrupt) or type(cause).__name__ in _STOPS for cause in causes(error))


def is_disk_full(problem: BaseException | str) -> bool:
    """Returns whether an error, one of its causes, or what a program printed says that a disk or a quota is full."""
    if isinstance(problem, str):
        return any(words in problem for words in _FULL_DISK)
    return any(
        (isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)) or is_disk_full(str(cause))
        for cause in causes(problem)
    )
