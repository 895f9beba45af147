"""Scores of every arm on an evaluation set, in blocks of queries, so that memory stays bounded however large the corpus is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from steps.evaluation.arms import ARMS
from steps.evaluation.eval_sets import EvalSet
from steps.evaluation.metrics import HEADLINE, METRICS, Relevance, Scores, relevance_of, score_queries
from steps.retrieval.bm25 import Bm25
from steps.retrieval.embedder import Embedder
from steps.retrieval.encoder import unit_rows
from steps.retrieval.fusion import Fusion, fuse, normalise, weighted_sum

FloatMatrix = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

TOP = 5
"""Chunks kept per query and model, for the report."""
DEV_QUERIES = 500
"""At most so many dev queries choose the fusion."""
_CELLS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Index:
    """A corpus that can be searched: built once, shared by all evaluation sets over the same chunks."""

    bm25: Bm25
    vectors: Mapping[str, FloatMatrix]
    """Model -> unit vectors `(n_chunks, dim)`."""


@dataclass(frozen=True)
class Units:
    """What is ranked: the units that chunks belong to, in descending order of their ids, which is trec_eval's order for ties."""

    ids: list[str]
    chunk_rows: Integers
    """Rows of chunks, those of the first unit first; a chunk stands in the list of each of its units."""
    starts: Integers
    """Where each unit's chunks begin in `chunk_rows`."""

    def best(self, scores: FloatMatrix) -> FloatMatrix:
        """Returns `(n_queries, n_units)` from `(n_queries, n_chunks)`: a unit scores by its best chunk."""
        best: FloatMatrix = np.maximum.reduceat(scores[:, self.chunk_rows], self.starts, axis=1)
        return best


def units_of(eval_set: EvalSet) -> Units:
    """Returns the units of the set's chunks."""
    members: dict[str, list[int]] = {}
    for row, chunk in enumerate(eval_set.chunks):
        for unit in eval_set.units_of(chunk):
            members.setdefault(unit, []).append(row)
    ids = sorted(members, reverse=True)
    sizes = [len(members[unit]) for unit in ids]
    rows = np.array([row for unit in ids for row in members[unit]], np.int64)
    return Units(ids, rows, np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64))


@dataclass(frozen=True)
class Retrieved:
    """What one model found for each query of a set."""

    rows: Integers
    """`(n_queries, TOP)` rows of chunks, best first."""
    scores: FloatMatrix
    """`(n_queries, TOP)` cosines, -1..1."""
    relevant: npt.NDArray[np.float64]
    """`(n_queries,)` cosine of the best relevant unit; nan when none can be found."""
    hardest: npt.NDArray[np.float64]
    """`(n_queries,)` cosine of the best unit that is not relevant; nan when there is none."""


@dataclass(frozen=True)
class ScoredSet:
    """Per-query scores of one evaluation set; row i is the i-th of its queries."""

    eval_set: EvalSet
    arms: dict[str, Scores]
    """Arm -> `(n_queries, len(METRICS))`."""
    dimensions: dict[str, dict[int, Scores]]
    """Model -> dimension, largest first -> `(n_queries, len(METRICS))`."""
    fusions: dict[str, Fusion]
    """Hybrid arm -> how it adds up."""
    retrieved: dict[str, Retrieved]
    """Model -> what its dense arm found."""


@dataclass(frozen=True)
class _Search:
    """An evaluation set made ready: its units, judgements and query vectors."""

    texts: list[str]
    units: Units
    relevance: Relevance
    index: Index
    queries: Mapping[str, FloatMatrix]
    """Model -> unit vectors `(n_queries, dim)`."""

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Yields (start, stop) of blocks of queries whose score matrix has a bounded number of cells."""
        width = max(self.index.bm25.n_texts, len(self.units.chunk_rows), 1)
        size = max(1, _CELLS_AT_ONCE // width)
        for start in range(0, len(self.texts), size):
            yield start, min(start + size, len(self.texts))

    def lexical(self, start: int, stop: int) -> FloatMatrix:
        """Returns BM25 scores `(stop - start, n_units)`."""
        return self.units.best(self.index.bm25.scores(self.texts[start:stop]))

    def dense(self, model: str, start: int, stop: int) -> FloatMatrix:
        """Returns cosines `(stop - start, n_chunks)`."""
        return self.queries[model][start:stop] @ self.index.vectors[model].T


def _search(eval_set: EvalSet, index: Index, models: Mapping[str, Embedder]) -> _Search:
    units = units_of(eval_set)
    texts = list(eval_set.queries.values())
    columns = {unit: column for column, unit in enumerate(units.ids)}
    relevance = relevance_of([eval_set.qrels[query] for query in eval_set.queries], columns)
    return _Search(texts, units, relevance, index, {name: model.embed(texts, "query") for name, model in models.items()})


def score_set(
    eval_set: EvalSet,
    index: Index,
    models: Mapping[str, Embedder],
    arms: Sequence[str],
    dimensions: Sequence[int],
    fusions: Mapping[str, Fusion],
) -> ScoredSet:
    """Returns the per-query scores of the arms, of each Matryoshka dimension, and what the models found.

    Args:
        eval_set: Questions and judgements; its chunks are those of the index.
        index: The searchable corpus.
        models: The models whose vectors the arms use, by name.
        arms: Names of `ARMS` whose models are there.
        dimensions: Leading parts of the vectors to score as well; those of a model's full length or more are left out.
        fusions: Hybrid arm -> how it adds up.
    """
    search = _search(eval_set, index, models)
    n_queries = len(search.texts)
    scores = {arm: np.empty((n_queries, len(METRICS))) for arm in arms}
    found: dict[str, list[Retrieved]] = {name: [] for name in models}
    for start, stop in search.blocks():
        relevance = search.relevance.part(start, stop)
        lexical = search.lexical(start, stop)
        dense: dict[str, FloatMatrix] = {}
        for name in models:
            by_chunk = search.dense(name, start, stop)
            dense[name] = search.units.best(by_chunk)
            found[name].append(_retrieved(by_chunk, dense[name], relevance))
        for arm in arms:
            scores[arm][start:stop] = score_queries(_arm_scores(arm, lexical, dense, fusions), relevance)
    by_dimension = {name: _score_dimensions(search, name, dimensions, scores.get(name)) for name in models}
    return ScoredSet(eval_set, scores, by_dimension, dict(fusions), {name: _joined(parts) for name, parts in found.items()})


def _arm_scores(arm: str, lexical: FloatMatrix, dense: Mapping[str, FloatMatrix], fusions: Mapping[str, Fusion]) -> FloatMatrix:
    model = ARMS[arm].model
    if model is None:
        return lexical
    return fuse(dense[model], lexical, fusions[arm]) if ARMS[arm].is_hybrid else dense[model]


def _score_dimensions(search: _Search, model: str, dimensions: Sequence[int], full: Scores | None) -> dict[int, Scores]:
    """Returns the dense scores per dimension: the same vectors, cut and brought back to length 1."""
    chunks, queries = search.index.vectors[model], search.queries[model]
    length = chunks.shape[1]
    result = {}
    for dimension in sorted({length, *(size for size in dimensions if size < length)}, reverse=True):
        if dimension == length and full is not None:
            result[dimension] = full
            continue
        cut = unit_rows(np.ascontiguousarray(chunks[:, :dimension])).T
        cut_queries = unit_rows(np.ascontiguousarray(queries[:, :dimension]))
        blocks = [
            score_queries(search.units.best(cut_queries[start:stop] @ cut), search.relevance.part(start, stop))
            for start, stop in search.blocks()
        ]
        result[dimension] = np.concatenate(blocks)
    return result


def _retrieved(by_chunk: FloatMatrix, by_unit: FloatMatrix, relevance: Relevance) -> Retrieved:
    """Returns what a block of dense scores finds; equal scores stand in the order of the chunks."""
    k = min(TOP, by_chunk.shape[1])
    rows = np.argpartition(-by_chunk, k - 1, axis=1)[:, :k]
    values = np.take_along_axis(by_chunk, rows, axis=1)
    order = np.lexsort((rows, -values), axis=1)
    is_relevant = np.zeros(by_unit.shape, dtype=bool)
    findable = relevance.unit >= 0
    is_relevant[relevance.query[findable], relevance.unit[findable]] = True
    return Retrieved(
        np.take_along_axis(rows, order, axis=1),
        np.take_along_axis(values, order, axis=1),
        _best_of(by_unit, is_relevant),
        _best_of(by_unit, ~is_relevant),
    )


def _best_of(scores: FloatMatrix, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    best = np.where(mask, scores, -np.inf).max(axis=1).astype(np.float64)
    return np.where(np.isfinite(best), best, np.nan)


def _joined(parts: Sequence[Retrieved]) -> Retrieved:
    return Retrieved(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.relevant for part in parts]),
        np.concatenate([part.hardest for part in parts]),
    )


def fusion_scores(
    dev: EvalSet, index: Index, models: Mapping[str, Embedder], candidates: Sequence[Fusion]
) -> dict[str, npt.NDArray[np.float64]]:
    """Returns model -> nDCG@10 `(n_queries, n_candidates)` of its hybrids, on at most DEV_QUERIES queries spread over the set."""
    search = _search(_spread(dev), index, models)
    result = {name: np.empty((len(search.texts), len(candidates))) for name in models}
    for start, stop in search.blocks():
        relevance = search.relevance.part(start, stop)
        lexical = search.lexical(start, stop)
        for name in models:
            dense = search.units.best(search.dense(name, start, stop))
            # The normalised halves are the costly part, and all weights of a method share them.
            halves = {method: (normalise(method, dense), normalise(method, lexical)) for method in {c.name for c in candidates}}
            for column, candidate in enumerate(candidates):
                fused = weighted_sum(*halves[candidate.name], candidate.weight)
                result[name][start:stop, column] = score_queries(fused, relevance)[:, METRICS.index(HEADLINE)]
    return result


def _spread(dev: EvalSet) -> EvalSet:
    kept = list(dev.queries.items())[:: -(-len(dev.queries) // DEV_QUERIES)]
    return replace(dev, queries=dict(kept))
