"""The exceptions that a user's mistake raises."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager


class InputError(ValueError):
    """A mistake in what the user gave: one line that says what is wrong, the value seen, what was expected, what to do.

    The command line prints it without a traceback and exits with 2.
    """

    def _render_traceback_(self) -> list[str]:
        """Returns what a notebook shows in place of a traceback; IPython looks for a method of this name."""
        return str(self).splitlines()


class UnreachableError(InputError):
    """Something that has to be fetched lies where nothing answers: with the network, or from a copy, the same input works."""


class SeveralModelsError(InputError):  # the command line adds a command that names one
    """There are several models, and none was named."""

    def __init__(self, names: Sequence[str], how: str = "Name one of them.") -> None:
        """Names all of them, and says how to name one."""
        super().__init__(f"There is more than one model: {', '.join(names)}. {how}")
        self.names = names


@contextmanager
def writing_to(place: str) -> Iterator[None]:
    """Says in one line where a folder, as the user named it, may not be written, by its rights or since its disk is read-only."""
    try:
        yield
    except OSError as error:
        if not isinstance(error, PermissionError) and error.errno != errno.EROFS:
            raise
        raise InputError(f"{place} cannot be written: {error.strerror}; give a folder that you may write to.") from None


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Returns the error for a name that does not exist, with the nearest one and all that do."""
    names = sorted(known)
    return InputError(f"Unknown {kind} '{name}'.{did_you_mean(name, names)} Choose one of: {', '.join(names)}.")


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Returns a sentence, after a space, that names the nearest known name; nothing where none is near."""
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean '{near[0]}'?" if near else ""
