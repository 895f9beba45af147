"""The rules as a distilabel step, with the anatomy of a task: inputs, outputs, process; an LLM recipe takes the same place."""

# No `from __future__ import annotations`: distilabel reads the annotation of `process` as an object.

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distilabel.steps import GeneratorStep, Step, StepInput

from steps.generation.passages import Passage
from steps.generation.rules import written_queries
from steps.generation.settings import RulesRecipe

BATCH_SIZE = 256
"""Chunks per batch: rules take milliseconds a chunk, so what a batch costs in the queues is what counts."""


class ReadPassages(GeneratorStep):
    """Yields the passages that `write_passages` put in a file, so that the pipeline's own dump does not carry the corpus."""

    path: str
    batch_size: int = BATCH_SIZE

    @property
    def outputs(self) -> list[str]:
        """Returns the columns of a passage."""
        return ["chunk_id", "passage"]

    def process(self, offset: int = 0) -> Iterator[tuple[list[dict[str, Any]], bool]]:
        """Yields batches of rows, and with the last one True."""
        lines = Path(self.path).read_text(encoding="utf-8").splitlines()
        for start in range(offset, len(lines), self.batch_size):
            rows = [json.loads(line) for line in lines[start : start + self.batch_size]]
            batch = [{"chunk_id": row["id"], "passage": json.dumps(row, ensure_ascii=False)} for row in rows]
            yield batch, start + self.batch_size >= len(lines)


class WriteQueriesByRules(Step):
    """Writes the queries that a passage answers, best first, with what the quality gate dropped."""

    queries_per_chunk: int
    seed: int
    progress_path: str | None = None
    """A file that grows by one byte per passage done."""

    @property
    def inputs(self) -> list[str]:
        """Returns the columns that are read."""
        return ["passage"]

    @property
    def outputs(self) -> list[str]:
        """Returns the column that is written: JSON, since an empty list has no type that Parquet could keep."""
        return ["answer"]

    def process(self, inputs: StepInput) -> Iterator[list[dict[str, Any]]]:
        """Yields the rows with their answers; a passage that fails gets the error as its answer, and its batch goes on."""
        for row in inputs:
            row["answer"] = json.dumps(self._answer(row["passage"]), ensure_ascii=False)
            if self.progress_path:
                with Path(self.progress_path).open("ab") as progress:
                    progress.write(b".")
        yield inputs

    def _answer(self, passage: str) -> dict[str, Any]:
        try:
            written = written_queries(Passage(**json.loads(passage)), self.seed, self.queries_per_chunk)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}
        return {"queries": written.queries, "rejects": written.rejects}


def rules_step(recipe: RulesRecipe, seed: int, progress_path: str | None) -> Step:
    """Returns the step for a recipe's settings; made inside a `with Pipeline()` block."""
    return WriteQueriesByRules(
        name=recipe.name,
        queries_per_chunk=recipe.queries_per_chunk,
        seed=seed,
        progress_path=progress_path,
        input_batch_size=BATCH_SIZE,
        use_cache=False,
    )
