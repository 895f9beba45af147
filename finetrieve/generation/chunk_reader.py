"""The first step of every generation: the numbers of the passages, in batches."""

# No `from __future__ import annotations`: distilabel reads the annotation of `process` as an object.

from collections.abc import Iterator
from typing import Any

from distilabel.steps import GeneratorStep

BATCH_SIZE = 256
"""Chunks per batch: what a batch costs in the queues is what counts."""


class ReadPassages(GeneratorStep):
    """Yields the numbers by which the recipes read the passages from their file.

    distilabel lets this step run ahead of a slow recipe and keeps what waits: with the texts, that would be the corpus.
    """

    passages: int
    """How many there are."""
    batch_size: int = BATCH_SIZE

    @property
    def outputs(self) -> list[str]:
        """Returns the column that is written."""
        return ["passage"]

    def process(self, offset: int = 0) -> Iterator[tuple[list[dict[str, Any]], bool]]:
        """Yields batches of rows, and with the last one True."""
        for start in range(offset, self.passages, self.batch_size):
            end = min(start + self.batch_size, self.passages)
            yield [{"passage": number} for number in range(start, end)], end == self.passages
