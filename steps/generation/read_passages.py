"""The first step of every generation: passages from a file, in batches."""

# No `from __future__ import annotations`: distilabel reads the annotation of `process` as an object.

import itertools
import json
from collections.abc import Iterator
from typing import Any

from distilabel.steps import GeneratorStep

from steps.generation.places import lines_at

BATCH_SIZE = 256
"""Chunks per batch: what a batch costs in the queues is what counts."""


class ReadPassages(GeneratorStep):
    """Yields the passages that were put in a file, so that the pipeline's own dump does not carry the corpus."""

    path: str
    batch_size: int = BATCH_SIZE

    @property
    def outputs(self) -> list[str]:
        """Returns the columns of a passage."""
        return ["chunk_id", "passage"]

    def process(self, offset: int = 0) -> Iterator[tuple[list[dict[str, Any]], bool]]:
        """Yields batches of rows, and with the last one True."""
        lines = lines_at(self.path, offset)
        batch = list(itertools.islice(lines, self.batch_size))
        while batch:
            following = list(itertools.islice(lines, self.batch_size))
            yield [{"chunk_id": json.loads(line)["id"], "passage": line} for line in batch], not following
            batch = following
