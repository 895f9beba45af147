"""Assembles the recipes' results into rows: in the chunks' order, a few in memory at a time, mixed by the recipes' weights."""

from __future__ import annotations

import hashlib
import itertools
import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from finetrieve.core.rows import ChunkLink, GeneratedQuery, Reject, WrittenRow, heading_path
from finetrieve.core.tables import ROWS_AT_ONCE, RowFile, Rows
from finetrieve.generation.chunk_context import fingerprint
from finetrieve.generation.recipes.base import ChunkResult, Recipe
from finetrieve.generation.settings import GenerationSettings

SHARED_BY_MOST = 3
"""A query that more chunks than this would answer is boilerplate ("How do I get started?") and trains nothing."""
REJECTS_PER_CHUNK = 5
"""Kept for reading, beside the failures, of which all are kept; the report counts all of them."""
RAW_CHARACTERS = 2000
"""Kept of an answer that could not be used."""
_REJECT_EXAMPLES = 10


class RecipeResults:
    """One recipe's results, in the chunks' order.

    Args:
        table: Columns `chunk`, its number, and `result`, JSON; numbers that follow each other stand together mostly.
        chunks: How many there are.

    Raises:
        RuntimeError: Some have no result.
    """

    def __init__(self, table: pa.Table, chunks: int) -> None:
        # distilabel replaces a failed batch by None and goes on with a warning: here it must not pass for "no queries".
        if lost := table["result"].null_count + chunks - table.num_rows:
            raise RuntimeError(f"distilabel lost {lost} of {chunks} chunks; run with DISTILABEL_LOG_LEVEL=INFO to see why.")
        self._results = table["result"]
        numbers = table["chunk"].to_numpy()
        starts = np.flatnonzero(np.diff(numbers, prepend=-2) != 1)
        bounds = [*starts.tolist(), len(numbers)]
        self._runs = [(bounds[run], bounds[run + 1]) for run in np.argsort(numbers[starts]).tolist()]

    def __iter__(self) -> Iterator[ChunkResult]:
        """Yields one result per chunk."""
        for first, last in self._runs:
            for start in range(first, last, ROWS_AT_ONCE):
                for result in self._results.slice(start, min(ROWS_AT_ONCE, last - start)).to_pylist():
                    yield json.loads(result)


@dataclass
class RequestOutcomes:
    """What became of the requests of all recipes that ask an LLM."""

    answered: int = 0
    failed: int = 0
    unasked: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """Of failure -> requests."""
    reasons: Counter[str] = field(default_factory=Counter)


def count_outcomes(results: Mapping[str, RecipeResults], settings: GenerationSettings) -> RequestOutcomes:
    """Returns the outcomes of all requests."""
    outcomes = RequestOutcomes()
    for result in (result for recipe in settings.recipes if recipe.asks_llm for result in results[recipe.row_label]):
        failures = result.get("failures", [])
        outcomes.kinds.update(kind for _, kind, _ in failures)
        outcomes.reasons.update(reason for _, _, reason in failures)
        outcomes.unasked += result.get("unasked", 0)
        outcomes.failed += len(failures)
        outcomes.answered += result.get("answered", len(result["queries"]))
    return outcomes


@dataclass(frozen=True)
class AssembledRows:
    """The rows of all recipes, recipe by recipe, and what the report says of what was dropped."""

    queries: pa.Table
    """Of `GeneratedQuery`; like the rejects memory-mapped from a file that is gone with the last who holds it."""
    chunks: NDArray[np.uint64]
    """Each query's chunk, by its place in the corpus."""
    rejects: pa.Table
    """Of `Reject`."""
    written: pa.Table
    """Of `WrittenRow`, likewise."""
    links: pa.Table
    """Of `ChunkLink`, likewise."""
    dropped: Counter[str]
    """Filter -> rows, also those that `rejects` leaves out."""
    failures: Counter[str]
    """Kind -> requests."""
    examples: list[Reject]


def assemble_rows(
    chunks: pa.Table, results: Mapping[str, RecipeResults], settings: GenerationSettings, scratch: Path
) -> AssembledRows:
    """Returns the rows that the results give, thinned to the recipes' weights, in files of a directory."""
    queries, rejects = RowFile(scratch / "queries.arrow", GeneratedQuery), RowFile(scratch / "rejects.arrow", Reject)
    written, links = RowFile(scratch / "written.arrow", WrittenRow), RowFile(scratch / "links.arrow", ChunkLink)
    places: array[int] = array("Q")
    dropped: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    examples: list[Reject] = []
    for recipe in settings.recipes:
        maker = _RowMaker(recipe, _count_boilerplate(results[recipe.row_label]), chunks)
        for place, (chunk_id, result) in enumerate(zip(_ids(chunks), results[recipe.row_label], strict=True)):
            made, lost = maker.make_rows(chunk_id, result)
            queries.extend(made)
            written.extend(maker.written_rows(chunk_id, result, lost))
            links.extend(maker.links(place, result))
            places.extend([place] * len(made))
            dropped.update(reject.filter for reject in lost)
            kept = _worth_keeping(lost)
            rejects.extend(kept)
            failures.update(reject.reason.split(":")[0] for reject in kept if reject.filter == "failure")
            examples += kept[: _REJECT_EXAMPLES - len(examples)]
    table, chunk_places = queries.table(), np.array(places, dtype=np.uint64)
    stays = select_rows(table, settings)
    if not stays.all():
        rejects.extend(reject_overweight(table, stays))
        dropped["mixing"] += int((~stays).sum())
        mixed = RowFile(scratch / "mixed.arrow", GeneratedQuery)
        mixed.extend(itertools.compress(Rows(table, GeneratedQuery), stays))
        table, chunk_places = mixed.table(), chunk_places[stays]
    return AssembledRows(table, chunk_places, rejects.table(), written.table(), links.table(), dropped, failures, examples)


def _ids(chunks: pa.Table) -> Iterator[str]:
    for start in range(0, chunks.num_rows, ROWS_AT_ONCE):
        yield from chunks["id"].slice(start, ROWS_AT_ONCE).to_pylist()


def _count_boilerplate(results: RecipeResults) -> dict[int, int]:
    """Returns fingerprint -> chunks, of the queries that too many chunks ask, whatever their case.

    Not `normalise_query`, which costs ten times as much on every row that a recipe writes; the filters apply that.
    """
    prints: array[int] = array("Q")
    for result in results:
        prints.extend({fingerprint(row["query"].casefold()) for row in result["queries"]})
    queries, chunks = np.unique(np.array(prints, dtype=np.uint64), return_counts=True)
    shared = chunks > SHARED_BY_MOST
    return dict(zip(queries[shared].tolist(), chunks[shared].tolist(), strict=True))


class _RowMaker:
    """Makes the rows of one recipe."""

    def __init__(self, recipe: Recipe, boilerplate: Mapping[int, int], chunks: pa.Table) -> None:
        self._most, self._boilerplate = recipe.queries_per_chunk, boilerplate
        self._chunks = chunks
        self._label, self._generator = recipe.row_label, recipe.generator
        self._written: set[int] = set()
        """Fingerprints of the rows' columns."""

    def make_rows(self, chunk_id: str, result: ChunkResult) -> tuple[list[GeneratedQuery], list[Reject]]:
        """Returns the chunk's queries, best first, and what was dropped of its result."""
        queries, rejects = [], []
        for number, (raw, kind, reason) in enumerate(result.get("failures", [])):
            raw = raw[:RAW_CHARACTERS]
            row_id = self._id(chunk_id, f"{number}\x1f{raw}")
            rejects.append(Reject(row_id, chunk_id, raw, "failure", f"{kind}: {reason}"))
        for query, reason in result.get("rejects", []):
            rejects.append(self._reject(chunk_id, query, "quality", reason))
        seen: set[str] = set()
        for row in result["queries"]:
            query = row["query"]
            words = query.casefold()
            if (shared := self._boilerplate.get(fingerprint(words))) is not None:
                reason = f"{shared} chunks ask it, at most {SHARED_BY_MOST} may"
                rejects.append(self._reject(chunk_id, query, "boilerplate", reason))
            elif words in seen:
                rejects.append(self._reject(chunk_id, query, "repeated", "the chunk has this query already"))
            elif len(seen) < self._most:
                seen.add(words)
                queries.append(self._query(chunk_id, row))
        return queries, rejects

    def written_rows(self, chunk_id: str, result: ChunkResult, lost: list[Reject]) -> Iterator[WrittenRow]:
        """Yields the chunk's rows that are no queries for it, and adds those to `lost` that are there already."""
        for row in result.get("rows", []):
            columns = json.dumps(row["columns"], ensure_ascii=False)
            if (mark := fingerprint(columns.casefold())) in self._written:
                lost.append(self._reject(chunk_id, columns[:RAW_CHARACTERS], "repeated", "the recipe has this row already"))
                continue
            self._written.add(mark)
            attributes = json.dumps(row["attributes"], ensure_ascii=False)
            yield WrittenRow(self._id(chunk_id, columns), chunk_id, self._label, self._generator, columns, attributes)

    def links(self, place: int, result: ChunkResult) -> Iterator[ChunkLink]:
        """Yields the links of the chunk at a place in the corpus."""
        for other, kind, weight, shared in result.get("links", []):
            yield ChunkLink(
                self._of_chunk("id", place),
                self._of_chunk("id", other),
                self._label,
                kind,
                weight,
                shared,
                self._place(place),
                self._place(other),
            )

    def _of_chunk(self, column: str, place: int) -> str:
        return str(self._chunks[column][place].as_py())

    def _place(self, place: int) -> str:
        return heading_path(self._of_chunk("title", place), self._of_chunk("section", place))

    def _query(self, chunk_id: str, row: dict[str, Any]) -> GeneratedQuery:
        return GeneratedQuery(
            self._id(chunk_id, row["query"]),
            chunk_id,
            row["query"],
            row.get("negative"),
            row["style"],
            self._label,
            self._generator,
            row.get("persona", ""),
            row.get("shortened", False),
            judge_score=row.get("judge_score"),
            further_chunk_ids=" ".join(self._of_chunk("id", other) for other in row.get("further", [])),
        )

    def _reject(self, chunk_id: str, query: str, kind: str, reason: str) -> Reject:
        return Reject(self._id(chunk_id, query), chunk_id, query, kind, reason)

    def _id(self, chunk_id: str, query: str) -> str:
        whole = "\x1f".join((chunk_id, self._label, query))
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _worth_keeping(rejects: list[Reject]) -> list[Reject]:
    """Returns a chunk's failures and its first other rejects."""
    failures = sum(reject.filter == "failure" for reject in rejects)  # they come first
    return rejects[: failures + REJECTS_PER_CHUNK]


def select_rows(queries: pa.Table, settings: GenerationSettings) -> NDArray[np.bool_]:
    """Returns for each row whether it stays when the rows are thinned to the recipes' weights.

    The recipe with the fewest rows for its weight keeps all of them. Another gives up first what stands last in its chunk,
    and among those by the rows' ids, so that a new chunk moves few rows of the others.

    Args:
        queries: The rows of all recipes; a recipe's rows of a chunk stand together, best first.
        settings: The recipes.
    """
    weights = {recipe.row_label: recipe.weight for recipe in settings.recipes}
    made = {count["values"]: count["counts"] for count in pc.value_counts(queries["recipe"]).to_pylist()}
    shares = {label: weight for label, weight in weights.items() if weight is not None and label in made}
    if len(shares) < 2:
        return np.ones(queries.num_rows, dtype=np.bool_)
    unit = min(made[label] / weight for label, weight in shares.items())
    ranked = pa.table({"rank": _ranks_in_chunk(queries), "id": queries["id"]})
    order = pc.sort_indices(ranked, sort_keys=[("rank", "ascending"), ("id", "ascending")]).to_numpy()
    stays = np.zeros(queries.num_rows, dtype=np.bool_)
    for label, weight in shares.items():
        own = order[pc.equal(queries["recipe"], label).to_numpy()[order]]
        stays[own[: round(unit * weight)]] = True
    return stays


def _ranks_in_chunk(queries: pa.Table) -> NDArray[np.int64]:
    """Returns each row's place among its recipe's rows of its chunk, from 0."""
    begins = np.ones(queries.num_rows, dtype=np.bool_)
    recipe, chunk = queries["recipe"], queries["chunk_id"]
    begins[1:] = pc.or_(
        pc.not_equal(recipe.slice(1), recipe.slice(0, len(recipe) - 1)),
        pc.not_equal(chunk.slice(1), chunk.slice(0, len(chunk) - 1)),
    ).to_numpy()
    numbers = np.arange(queries.num_rows)
    return numbers - np.maximum.accumulate(np.where(begins, numbers, 0))


def reject_overweight(queries: pa.Table, stays: NDArray[np.bool_]) -> Iterator[Reject]:
    """Yields the rows that do not stay."""
    for row, stay in zip(Rows(queries, GeneratedQuery), stays, strict=True):
        if not stay:
            reason = f"recipe '{row.recipe}' has more rows than its weight allows"
            yield Reject(row.id, row.chunk_id, row.query, "mixing", reason)
