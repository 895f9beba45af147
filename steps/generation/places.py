"""Where the steps of a generation find its ledger, its answers and its passages: in files, or at the office of a run on Ray."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from steps.generation.answers import AnswerCache
from steps.generation.ledger import Ledger

AT_OFFICE = "ray:office"
"""In place of a file's path: the step runs on a Ray cluster and asks the office of its run."""


def ledger_at(place: str) -> Ledger:
    """Returns the ledger; open it in the process that uses it."""
    if place == AT_OFFICE:
        from steps.generation.on_ray import LedgerAtOffice

        return cast(Ledger, LedgerAtOffice())
    return Ledger(Path(place))


def answers_at(place: str) -> AnswerCache:
    """Returns the answer cache; open it in the process that uses it.

    Raises:
        InputError: It cannot be used.
    """
    if place == AT_OFFICE:
        from steps.generation.on_ray import AnswersAtOffice

        return cast(AnswerCache, AnswersAtOffice())
    return AnswerCache(Path(place))


def lines_at(place: str, offset: int) -> Iterator[str]:
    """Yields the lines of the passages' file from one on."""
    if place == AT_OFFICE:
        from steps.generation.on_ray import lines_at_office

        yield from lines_at_office(offset)
        return
    with Path(place).open(encoding="utf-8") as file:
        yield from itertools.islice(file, offset, None)
