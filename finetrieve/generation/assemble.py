"""What the recipes answered, made rows: in the chunks' order, whatever order the answers came in, a few in memory at a time."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from finetrieve.core.rows import Reject, Triplet
from finetrieve.core.tables import ROWS_AT_ONCE, RowFile
from finetrieve.generation.chunk_context import fingerprint
from finetrieve.generation.settings import GenerationSettings, RulesRecipe, TripletRecipe, label_of

SHARED_BY_MOST = 3
"""A query that more chunks than this would answer is boilerplate ("How do I get started?") and trains nothing."""
REJECTS_PER_CHUNK = 5
"""Kept for reading, beside the failures, of which all are kept; the report counts all of them."""
RAW_CHARACTERS = 2000
"""Kept of an answer that could not be used."""
_REJECT_EXAMPLES = 10

Answer = dict[str, Any]
"""What a recipe says of a passage: `queries` [{query, style, ...}] best first, `rejects` [[query, reason]],
`failures` [[raw, kind, reason]], `unasked` how many queries were not asked for any more."""


class Answers:
    """One recipe's answers, in the passages' order.

    Args:
        table: Columns `passage`, its number, and `answer`, JSON; numbers that follow each other stand together mostly.
        passages: How many were asked about.

    Raises:
        RuntimeError: Some have no answer.
    """

    def __init__(self, table: pa.Table, passages: int) -> None:
        # distilabel replaces a failed batch by None and goes on with a warning: here it must not pass for "no queries".
        if lost := table["answer"].null_count + passages - table.num_rows:
            raise RuntimeError(f"distilabel lost {lost} of {passages} passages; run with DISTILABEL_LOG_LEVEL=INFO to see why.")
        self._answers = table["answer"]
        numbers = table["passage"].to_numpy()
        starts = np.flatnonzero(np.diff(numbers, prepend=-2) != 1)
        bounds = [*starts.tolist(), len(numbers)]
        self._runs = [(bounds[run], bounds[run + 1]) for run in np.argsort(numbers[starts]).tolist()]

    def __iter__(self) -> Iterator[Answer]:
        """Yields one answer per passage."""
        for first, last in self._runs:
            for start in range(first, last, ROWS_AT_ONCE):
                for answer in self._answers.slice(start, min(ROWS_AT_ONCE, last - start)).to_pylist():
                    yield json.loads(answer)


@dataclass
class Fates:
    """What became of the requests of all recipes that ask for answers."""

    answered: int = 0
    failed: int = 0
    unasked: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """Of failure -> requests."""
    reasons: Counter[str] = field(default_factory=Counter)


def fates(answers: Mapping[str, Answers], settings: GenerationSettings) -> Fates:
    """Returns the fates of all requests."""
    found = Fates()
    for recipe in settings.recipes:
        if not isinstance(recipe, TripletRecipe):
            continue
        for answer in answers[recipe.label]:
            found.kinds.update(kind for _, kind, _ in answer["failures"])
            found.reasons.update(reason for _, _, reason in answer["failures"])
            found.unasked += answer["unasked"]
            found.failed += len(answer["failures"])
            found.answered += len(answer["queries"])
    return found


@dataclass(frozen=True)
class Collected:
    """The rows of all recipes, recipe by recipe, and what the report says of what was dropped."""

    triplets: pa.Table
    chunks: array[int]
    """Each triplet's chunk, by its place in the corpus."""
    rejects: RowFile
    """Open for more."""
    dropped: Counter[str]
    """Filter -> rows, also those that `rejects` leaves out."""
    failures: Counter[str]
    """Kind -> requests."""
    examples: list[Reject]


def collected(chunks: pa.Table, answers: Mapping[str, Answers], settings: GenerationSettings, scratch: Path) -> Collected:
    """Returns the rows that the answers give, in files of a directory.

    Args:
        chunks: The corpus.
        answers: Recipe label -> answers.
        settings: The recipes.
        scratch: The directory.
    """
    triplets, rejects = RowFile(scratch / "triplets.arrow", Triplet), RowFile(scratch / "rejects.arrow", Reject)
    places: array[int] = array("Q")
    dropped: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    examples: list[Reject] = []
    for recipe in settings.recipes:
        maker = _RowMaker(recipe, _boilerplate(answers[label_of(recipe)]))
        for place, (chunk_id, answer) in enumerate(zip(_ids(chunks), answers[label_of(recipe)], strict=True)):
            made, lost = maker.rows(chunk_id, answer)
            triplets.extend(made)
            places.extend([place] * len(made))
            dropped.update(reject.filter for reject in lost)
            kept = _worth_keeping(lost)
            rejects.extend(kept)
            failures.update(reject.reason.split(":")[0] for reject in kept if reject.filter == "failure")
            examples += kept[: _REJECT_EXAMPLES - len(examples)]
    return Collected(triplets.table(), places, rejects, dropped, failures, examples)


def _ids(chunks: pa.Table) -> Iterator[str]:
    for start in range(0, chunks.num_rows, ROWS_AT_ONCE):
        yield from chunks["id"].slice(start, ROWS_AT_ONCE).to_pylist()


def _boilerplate(answers: Answers) -> dict[int, int]:
    """Returns fingerprint -> chunks, of the queries that too many chunks ask, whatever their case.

    Not `normalise_query`, which costs ten times as much on every row that a recipe writes; the filters apply that.
    """
    asked: array[int] = array("Q")
    for answer in answers:
        asked.extend({fingerprint(row["query"].casefold()) for row in answer["queries"]})
    queries, chunks = np.unique(np.array(asked, dtype=np.uint64), return_counts=True)
    shared = chunks > SHARED_BY_MOST
    return dict(zip(queries[shared].tolist(), chunks[shared].tolist(), strict=True))


class _RowMaker:
    """Makes the rows of one recipe."""

    def __init__(self, recipe: RulesRecipe | TripletRecipe, boilerplate: Mapping[int, int]) -> None:
        self._most, self._boilerplate = recipe.queries_per_chunk, boilerplate
        self._label, self._generator = label_of(recipe), _generator(recipe)

    def rows(self, chunk_id: str, answer: Answer) -> tuple[list[Triplet], list[Reject]]:
        """Returns the chunk's triplets, best first, and what was dropped of its answer."""
        triplets, rejects = [], []
        for number, (raw, kind, reason) in enumerate(answer.get("failures", [])):
            raw = raw[:RAW_CHARACTERS]
            row_id = self._id(chunk_id, f"{number}\x1f{raw}")
            rejects.append(Reject(row_id, chunk_id, raw, "failure", f"{kind}: {reason}"))
        for query, reason in answer.get("rejects", []):
            rejects.append(self._reject(chunk_id, query, "quality", reason))
        had: set[str] = set()
        for row in answer["queries"]:
            query = row["query"]
            words = query.casefold()
            if (shared := self._boilerplate.get(fingerprint(words))) is not None:
                reason = f"{shared} chunks ask it, at most {SHARED_BY_MOST} may"
                rejects.append(self._reject(chunk_id, query, "boilerplate", reason))
            elif words in had:
                rejects.append(self._reject(chunk_id, query, "repeated", "the chunk has this query already"))
            elif len(had) < self._most:
                had.add(words)
                triplets.append(self._triplet(chunk_id, row))
        return triplets, rejects

    def _triplet(self, chunk_id: str, row: dict[str, Any]) -> Triplet:
        return Triplet(
            self._id(chunk_id, row["query"]),
            chunk_id,
            row["query"],
            row.get("negative"),
            row["style"],
            self._label,
            self._generator,
            row.get("persona", ""),
            row.get("shortened", False),
        )

    def _reject(self, chunk_id: str, query: str, kind: str, reason: str) -> Reject:
        return Reject(self._id(chunk_id, query), chunk_id, query, kind, reason)

    def _id(self, chunk_id: str, query: str) -> str:
        whole = "\x1f".join((chunk_id, self._label, query))
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _generator(recipe: RulesRecipe | TripletRecipe) -> str:
    if isinstance(recipe, TripletRecipe):
        return f"{recipe.provider}/{recipe.model}"
    from finetrieve.generation.recipes.rules import VERSION

    return f"rules {VERSION}"


def _worth_keeping(rejects: list[Reject]) -> list[Reject]:
    """Returns a chunk's failures and its first other rejects."""
    failures = sum(reject.filter == "failure" for reject in rejects)  # they come first
    return rejects[: failures + REJECTS_PER_CHUNK]
