"""The distilabel steps that every recipe is made of: one that numbers the chunks, and the base class of those that read them."""

# No `from __future__ import annotations`: distilabel reads the annotation of `process` as an object.

import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from distilabel.steps import GeneratorStep, Step, StepInput
from pydantic import PrivateAttr, SerializeAsAny

from finetrieve.core.errors import InputError
from finetrieve.generation.chunk_context import BLOCK, ChunkContext, ContextFile
from finetrieve.generation.llm.response_cache import ResponseCache
from finetrieve.generation.recipes.base import BATCH_SIZE, ON_COORDINATOR, ChunkResult, Recipe, RunResources
from finetrieve.generation.run_state import RunState


class NumberChunks(GeneratorStep):
    """The first step of every generation: yields the numbers by which the recipes read the chunks from their file.

    distilabel lets this step run ahead of a slow recipe and keeps what waits: with the texts, that would be the corpus.
    """

    chunks: int
    """How many there are."""
    batch_size: int = BATCH_SIZE

    @property
    def outputs(self) -> list[str]:
        """Returns the column that is written."""
        return ["chunk"]

    def process(self, offset: int = 0) -> Iterator[tuple[list[dict[str, Any]], bool]]:
        """Yields batches of rows, and with the last one True."""
        for start in range(offset, self.chunks, self.batch_size):
            end = min(start + self.batch_size, self.chunks)
            yield [{"chunk": number} for number in range(start, end)], end == self.chunks


class ChunkStep(Step):
    """A recipe's step: reads chunks by their numbers and writes a result for each.

    A subclass says with `results` what it makes of them, and counts with `count_done` what is done.
    """

    recipe: SerializeAsAny[Recipe]
    seed: int
    run_resources: RunResources
    input_batch_size: int = BATCH_SIZE
    use_cache: bool = False

    _run_state: RunState = PrivateAttr()

    @property
    def inputs(self) -> list[str]:
        """Returns the columns that are read."""
        return ["chunk"]

    @property
    def outputs(self) -> list[str]:
        """Returns the column that is written: JSON, since an empty list has no type that Parquet could keep."""
        return ["result"]

    def load(self) -> None:
        """Opens what the step needs, in the process that runs it."""
        self._run_state = open_run_state(self.run_resources.run_state)
        try:
            super().load()
            self.open()
        except Exception as error:
            # distilabel would only say that some step could not be loaded.
            self.stop_run(error)
            raise

    def open(self) -> None:
        """Opens what a subclass needs."""

    @abstractmethod
    def results(self, chunks: Iterator[ChunkContext]) -> Iterable[ChunkResult | str]:
        """Yields a result for each chunk; chunks are read as they are taken, and a text is a result as JSON."""

    def process(self, inputs: StepInput) -> Iterator[list[dict[str, Any]]]:
        """Yields the rows with their results; an error stops the run, where distilabel would go on with a blank batch."""
        chunks = read_contexts(self.run_resources.chunks, (row["chunk"] for row in inputs))
        try:
            for row, result in zip(inputs, self.results(chunks), strict=True):
                row["result"] = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        except Exception as error:
            self.stop_run(error)
            for row in inputs:
                row["result"] = json.dumps({"queries": [], "failures": [], "unasked": self.recipe.requests_per_chunk})
        yield inputs

    def count_done(self, number: int, from_cache: int = 0) -> None:
        """Adds to what the run shows of its progress, and to the report."""
        self._run_state.add(self.recipe.row_label, done=number, hits=from_cache)

    def stop_run(self, error: Exception) -> None:
        """Tells all recipes to stop, and why."""
        self._run_state.stop("input" if isinstance(error, InputError) else "error", f"{error}" or type(error).__name__)


def open_run_state(place: str) -> RunState:
    """Returns the state of the run; open it in the process that uses it."""
    if place == ON_COORDINATOR:
        from finetrieve.generation.ray_cluster import RemoteRunState

        return cast(RunState, RemoteRunState())
    return RunState(Path(place))


def open_responses(place: str) -> ResponseCache:
    """Returns the response cache; open it in the process that uses it.

    Raises:
        InputError: It cannot be used.
    """
    if place == ON_COORDINATOR:
        from finetrieve.generation.ray_cluster import RemoteResponseCache

        return cast(ResponseCache, RemoteResponseCache())
    return ResponseCache(Path(place))


def read_contexts(place: str, numbers: Iterable[int]) -> Iterator[ChunkContext]:
    """Yields chunks by their numbers; those of a block are in memory at a time, and ascending numbers read each block once."""
    file = _open_contexts(place)
    held, block = -1, list[ChunkContext]()
    for number in numbers:
        if number // BLOCK != held:
            held = number // BLOCK
            block = file.block(held)
        yield block[number % BLOCK]


def _open_contexts(place: str) -> ContextFile:
    if place == ON_COORDINATOR:
        from finetrieve.generation.ray_cluster import RemoteContextFile

        return cast(ContextFile, RemoteContextFile())
    return ContextFile(Path(place))
