"""The rules as a distilabel step, with the anatomy of a task: inputs, outputs, process; an LLM recipe takes the same place."""

# No `from __future__ import annotations`: distilabel reads the annotation of `process` as an object.

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distilabel.steps import Step, StepInput

from steps.generation.ledger import Ledger
from steps.generation.passages import Passage
from steps.generation.read_passages import BATCH_SIZE
from steps.generation.recipes import Workplace
from steps.generation.rules import written_queries
from steps.generation.settings import RulesRecipe

_COUNTED_AT_ONCE = 16


class WriteQueriesByRules(Step):
    """Writes the queries that a passage answers, best first, with what the quality gate dropped."""

    queries_per_chunk: int
    seed: int
    ledger: str
    """File of the ledger."""

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
        ledger = Ledger(Path(self.ledger))
        for start in range(0, len(inputs), _COUNTED_AT_ONCE):
            part = inputs[start : start + _COUNTED_AT_ONCE]
            for row in part:
                row["answer"] = json.dumps(self._answer(row["passage"]), ensure_ascii=False)
            ledger.add(str(self.name), done=len(part))
        ledger.close()
        yield inputs

    def _answer(self, passage: str) -> dict[str, Any]:
        try:
            made = written_queries(Passage(**json.loads(passage)), self.seed, self.queries_per_chunk)
        except Exception as error:
            return {"queries": [], "failures": [["", "error", f"{type(error).__name__}: {error}"]]}
        return {"queries": [{"query": query, "style": style} for query, style in made.queries], "rejects": made.rejects}


def rules_step(recipe: RulesRecipe, seed: int, place: Workplace) -> Step:
    """Returns the step for a recipe's settings; made inside a `with Pipeline()` block."""
    return WriteQueriesByRules(
        name=recipe.name,
        queries_per_chunk=recipe.queries_per_chunk,
        seed=seed,
        ledger=str(place.ledger),
        input_batch_size=BATCH_SIZE,
        use_cache=False,
    )
