"""The rules as a distilabel step, with the anatomy of a task: inputs, outputs, process; an LLM recipe takes the same place."""

# No `from __future__ import annotations`: distilabel reads the annotation of `process` as an object.

import contextlib
import functools
import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from distilabel.steps import Step, StepInput
from pydantic import PrivateAttr

from finetrieve.core.errors import InputError
from finetrieve.generation.chunk_context import Passage
from finetrieve.generation.chunk_reader import BATCH_SIZE
from finetrieve.generation.llm.response_cache import Answer, AnswerCache, request_key
from finetrieve.generation.recipes import rules
from finetrieve.generation.recipes.registry import Workplace
from finetrieve.generation.recipes.rules import VERSION, written_queries
from finetrieve.generation.run_resources import answers_at, ledger_at, passages_at
from finetrieve.generation.settings import RulesRecipe

_COUNTED_AT_ONCE = 64


class WriteQueriesByRules(Step):
    """Writes the queries that a passage answers, best first, with what the quality gate dropped."""

    queries_per_chunk: int
    seed: int
    ledger: str
    """Where the ledger is."""
    passages: str
    """Where the passages are."""

    @property
    def inputs(self) -> list[str]:
        """Returns the columns that are read."""
        return ["passage"]

    @property
    def outputs(self) -> list[str]:
        """Returns the column that is written: JSON, since an empty list has no type that Parquet could keep."""
        return ["answer"]

    answers: str
    """Where the answer cache is: what was written for a passage is not written again while passage and rules are the same."""

    _cache: AnswerCache | None = PrivateAttr(default=None)

    def load(self) -> None:
        """Opens the cache; rules need none, so one that cannot be used is done without."""
        super().load()
        with contextlib.suppress(InputError):
            self._cache = answers_at(self.answers)

    def process(self, inputs: StepInput) -> Iterator[list[dict[str, Any]]]:
        """Yields the rows with their answers; a passage that fails gets the error as its answer, and its batch goes on."""
        ledger = ledger_at(self.ledger)
        passages = passages_at(self.passages, (row["passage"] for row in inputs))
        for start in range(0, len(inputs), _COUNTED_AT_ONCE):
            part = inputs[start : start + _COUNTED_AT_ONCE]
            read = list(itertools.islice(passages, len(part)))
            keys = [self._key(passage) for passage in read]
            known = self._known(keys)
            for row, passage, key in zip(part, read, keys, strict=True):
                row["answer"] = known[key].text if key in known else json.dumps(self._answer(passage), ensure_ascii=False)
            self._keep({key: row["answer"] for row, key in zip(part, keys, strict=True) if key not in known})
            ledger.add(str(self.name), done=len(part), hits=len(known))
        ledger.close()
        yield inputs

    def _key(self, passage: Passage) -> bytes:
        settings = {"rules": code_version(), "seed": self.seed, "queries": self.queries_per_chunk}
        return request_key({**settings, "passage": asdict(passage)})

    def _known(self, keys: list[bytes]) -> dict[bytes, Answer]:
        return self._cache.get(keys) if self._cache else {}

    def _keep(self, texts: dict[bytes, str]) -> None:
        answers = {key: Answer(text, 0, 0, False) for key, text in texts.items() if '"failures"' not in text}
        if self._cache and answers:
            with contextlib.suppress(InputError):
                self._cache.put_all(answers, f"rules {VERSION}")

    def _answer(self, passage: Passage) -> dict[str, Any]:
        try:
            made = written_queries(passage, self.seed, self.queries_per_chunk)
        except Exception as error:
            return {"queries": [], "failures": [["", "error", f"{type(error).__name__}: {error}"]]}
        return {"queries": [{"query": query, "style": style} for query, style in made.queries], "rejects": made.rejects}


@functools.cache
def code_version() -> str:
    """Returns a hash of the rules' code and dictionary: what an edit of them must ask again."""
    digest = hashlib.sha256(metadata.version("lemminflect").encode())
    for path in sorted(Path(rules.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def rules_step(recipe: RulesRecipe, seed: int, place: Workplace) -> Step:
    """Returns the step for a recipe's settings; made inside a `with Pipeline()` block."""
    return WriteQueriesByRules(
        name=recipe.name,
        queries_per_chunk=recipe.queries_per_chunk,
        seed=seed,
        ledger=place.ledger,
        answers=place.answers,
        passages=place.passages,
        input_batch_size=BATCH_SIZE,
        use_cache=False,
    )
