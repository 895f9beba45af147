"""Where the steps of a generation find its ledger, its answers and its passages: in files, or at the office of a run on Ray."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

from finetrieve.generation.chunk_context import BLOCK, Passage, PassageFile
from finetrieve.generation.llm.response_cache import AnswerCache
from finetrieve.generation.run_state import Ledger

AT_OFFICE = "ray:office"
"""In place of a file's path: the step runs on a Ray cluster and asks the office of its run."""


def ledger_at(place: str) -> Ledger:
    """Returns the ledger; open it in the process that uses it."""
    if place == AT_OFFICE:
        from finetrieve.generation.ray_cluster import LedgerAtOffice

        return cast(Ledger, LedgerAtOffice())
    return Ledger(Path(place))


def answers_at(place: str) -> AnswerCache:
    """Returns the answer cache; open it in the process that uses it.

    Raises:
        InputError: It cannot be used.
    """
    if place == AT_OFFICE:
        from finetrieve.generation.ray_cluster import AnswersAtOffice

        return cast(AnswerCache, AnswersAtOffice())
    return AnswerCache(Path(place))


def passages_at(place: str, numbers: Iterable[int]) -> Iterator[Passage]:
    """Yields passages by their numbers; those of a block are in memory at a time, and ascending numbers read each block once."""
    file = _passage_file(place)
    held, block = -1, list[Passage]()
    for number in numbers:
        if number // BLOCK != held:
            held = number // BLOCK
            block = file.block(held)
        yield block[number % BLOCK]


def _passage_file(place: str) -> PassageFile:
    if place == AT_OFFICE:
        from finetrieve.generation.ray_cluster import PassagesAtOffice

        return cast(PassageFile, PassagesAtOffice())
    return PassageFile(Path(place))
