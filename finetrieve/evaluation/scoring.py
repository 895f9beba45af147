"""Scores of every arm on an evaluation set, in blocks of queries, so that memory stays bounded however large the corpus is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from finetrieve.core.arrays import FloatMatrix, Integers
from finetrieve.core.rows import embedded_text
from finetrieve.evaluation.arms import Arm, arm_of
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.metrics import HEADLINE, METRICS, Relevance, Scores, relevance_of, score_queries
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.encoder import unit_rows
from finetrieve.retrieval.fusion import Fusion, Parts, first_rows, fuse, fuse_first, normalised_parts, put_first, weighted_sum
from finetrieve.retrieval.hybrid_index import Queries, SearchIndex
from finetrieve.retrieval.reranker import Reranker
from finetrieve.retrieval.units import Units

TOP = 5
"""Chunks kept per query and model, for the report."""
DEV_QUERIES = 500
"""At most so many dev queries choose the fusion."""
_CELLS_AT_ONCE = 1 << 22
"""Of a score matrix, queries by chunks: 16 MB."""
_LATE_CELLS_AT_ONCE = 1 << 25
"""Of a matrix of late scores, for which all token vectors are read once: 128 MB."""


def units_of(eval_set: EvalSet) -> Units:
    """Returns the units of the set's chunks."""
    return Units.of(eval_set.units_of(chunk) for chunk in eval_set.chunks)


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
    """Fused arm -> how it adds up."""
    retrieved: dict[str, Retrieved]
    """Model -> what its dense arm found."""


@dataclass(frozen=True)
class _Search:
    """An evaluation set made ready: its units, judgements and queries."""

    texts: list[str]
    units: Units
    relevance: Relevance
    indexes: Mapping[str, SearchIndex]
    """Model -> the corpus."""
    queries: Mapping[str, Queries]
    """Model -> the queries with their vectors."""

    @property
    def bm25(self) -> Bm25:
        """The index of words, which all models share."""
        return next(iter(self.indexes.values())).bm25

    def spans(self, cells: int) -> Iterator[tuple[int, int]]:
        """Yields (start, stop) of blocks of queries whose score matrix has at most so many cells."""
        size = max(1, cells // max(self.bm25.n_texts, len(self.units.chunk_rows), 1))
        for start in range(0, len(self.texts), size):
            yield start, min(start + size, len(self.texts))

    def blocks(self, late_of: Sequence[str]) -> Iterator[ScoreBlock]:
        """Yields blocks of queries with the scores of all parts, the late ones for the models of `late_of` alone."""
        for first, last in self.spans(_LATE_CELLS_AT_ONCE if late_of else _CELLS_AT_ONCE):
            # The token vectors are read once for many queries; the other scores are cheap, and made for few at a time.
            late = {model: self.indexes[model].late(self.queries[model].part(first, last)) for model in late_of}
            for start, stop in self.spans(_CELLS_AT_ONCE):
                low, high = max(start, first), min(stop, last)
                if low < high:
                    yield self._block(low, high, {model: scores[low - first : high - first] for model, scores in late.items()})

    def _block(self, start: int, stop: int, late: Mapping[str, FloatMatrix]) -> ScoreBlock:
        texts = self.texts[start:stop]
        lexical, coverage = self.bm25.scores(texts), self.bm25.coverage(texts)
        dense = {model: index.dense(self.queries[model].part(start, stop)) for model, index in self.indexes.items()}
        by_chunk = {model: Parts(texts, lexical, dense[model], late.get(model), coverage) for model in self.indexes}
        best, by_unit = self.units.best, {}
        lexical = best(lexical)  # once for all models
        for model, parts in by_chunk.items():
            late_by_unit = None if parts.late is None else best(parts.late)
            by_unit[model] = Parts(texts, lexical, best(parts.dense), late_by_unit, coverage)
        return ScoreBlock(start, stop, self, lexical, by_chunk, by_unit)


@dataclass(frozen=True)
class ScoreBlock:
    """The scores of all parts for the queries from `start` to `stop`."""

    start: int
    stop: int
    search: _Search
    lexical: FloatMatrix
    """BM25 scores `(n_queries, n_units)`."""
    by_chunk: Mapping[str, Parts]
    """Model -> its scores of chunks."""
    by_unit: Mapping[str, Parts]
    """Model -> its scores of units, each by its best chunk."""

    @cached_property
    def relevance(self) -> Relevance:
        """The judgements of these queries."""
        return self.search.relevance.part(self.start, self.stop)

    def parts_of(self, model: str, fusion: Fusion) -> Parts:
        """Returns a model's scores of units as a fusion adds them up."""
        return self._summed[model] if fusion.is_sum else self.by_unit[model]

    @cached_property
    def _summed(self) -> dict[str, Parts]:
        units = self.search.units
        return {model: units.with_whole(self.by_unit[model], parts) for model, parts in self.by_chunk.items()}


def _search(eval_set: EvalSet, indexes: Mapping[str, SearchIndex]) -> _Search:
    units = units_of(eval_set)
    texts = list(eval_set.queries.values())
    columns = {unit: column for column, unit in enumerate(units.ids)}
    relevance = relevance_of([eval_set.qrels[query] for query in eval_set.queries], columns)
    return _Search(texts, units, relevance, indexes, {name: index.prepare(texts) for name, index in indexes.items()})


@dataclass(frozen=True)
class Reranking:
    """A cross-encoder, and how many chunks it is given."""

    reranker: Reranker
    depth: int


def score_set(
    eval_set: EvalSet,
    indexes: Mapping[str, SearchIndex],
    arms: Sequence[str],
    dimensions: Sequence[int],
    fusions: Mapping[str, Fusion],
    reranking: Reranking | None = None,
) -> ScoredSet:
    """Returns the per-query scores of the arms, of each Matryoshka dimension, and what the models found.

    Args:
        eval_set: Questions and judgements; its chunks are those of the indexes.
        indexes: Model -> the corpus; all share their index of words.
        arms: Names of arms whose models are there.
        dimensions: Leading parts of the vectors to score as well; those of a model's full length or more are left out.
        fusions: Fused arm -> how it adds up; with the first stages of the arms that have one.
        reranking: For the arms of the cross-encoder.
    """
    search, wanted = _search(eval_set, indexes), {name: arm_of(name) for name in arms}
    scores = {arm: np.empty((len(search.texts), len(METRICS))) for arm in arms}
    found: dict[str, list[Retrieved]] = {name: [] for name in indexes}
    late_of = [name for name in indexes if any(arm.needs_tokens and arm.model == name for arm in wanted.values())]
    texts = [embedded_text(chunk) for chunk in eval_set.chunks] if any(arm.needs_reranker for arm in wanted.values()) else []
    for block in search.blocks(late_of):
        for name in indexes:
            found[name].append(_retrieved(block.by_chunk[name].dense, block.by_unit[name].dense, block.relevance))
        inputs = BlockInputs(block, fusions, reranking, texts)
        for name, arm in wanted.items():
            scores[name][block.start : block.stop] = score_queries(arm.score(inputs), block.relevance)
    by_dimension = {name: _score_dimensions(search, name, dimensions, scores.get(name)) for name in indexes}
    used = {arm: fusion for arm, fusion in fusions.items() if arm in scores}
    return ScoredSet(eval_set, scores, by_dimension, used, {name: _joined(parts) for name, parts in found.items()})


@dataclass(frozen=True)
class BlockInputs:
    """What an arm can score a block of queries by: `arms.ArmInputs`."""

    block: ScoreBlock
    fusions: Mapping[str, Fusion]
    """Fused arm -> how it adds up."""
    reranking: Reranking | None
    texts: Sequence[str]
    """The chunks' texts, where an arm needs a cross-encoder."""

    def part(self, arm: Arm) -> FloatMatrix:
        """Returns the scores `(n_queries, n_units)` of an arm's one part; BM25 finds only what shares a word with the query."""
        if arm.model is None:
            return np.where(self.block.lexical > 0, self.block.lexical, np.float32(-np.inf))
        parts = self.block.by_unit[arm.model]
        scores = parts.late if arm.parts == ("late",) else parts.dense
        assert scores is not None
        return scores

    def fuse(self, arm: Arm) -> FloatMatrix:
        """Returns the fused scores `(n_queries, n_units)` of an arm's parts."""
        fusion = self.fusions[arm.name]
        return fuse(self.block.parts_of(str(arm.model), fusion), fusion)

    def rerank(self, arm: Arm) -> FloatMatrix:
        """Returns scores by which the first stage's first units lead in their new order; the others stay below as they were.

        Late interaction compares all chunks of those units, which is cheap; a cross-encoder reads the best one of each.
        """
        model, first_fusion = str(arm.model), self.fusions[str(arm.first_stage)]
        first = fuse(self.block.parts_of(model, first_fusion), first_fusion)
        if arm.needs_reranker:
            return self._cross_encode(first, self.block.by_chunk[model], first_fusion)
        fusion = self.fusions[arm.name]
        parts = self.block.parts_of(model, fusion)
        assert parts.late is not None and arm.depth is not None
        rows = first_rows(first, arm.depth)
        late = np.take_along_axis(parts.late, rows, axis=1)
        return put_first(first, rows, fuse_first(parts, late, rows, fusion))

    def _cross_encode(self, first: FloatMatrix, by_chunk: Parts, first_fusion: Fusion) -> FloatMatrix:
        assert self.reranking is not None
        rows = first_rows(first, self.reranking.depth)
        chunks = self.block.search.units.best_chunks(fuse(by_chunk, first_fusion), rows)
        pairs = [(query, self.texts[row]) for query, found in zip(by_chunk.queries, chunks, strict=True) for row in found]
        return put_first(first, rows, self.reranking.reranker.scores(pairs).reshape(rows.shape))


def _score_dimensions(search: _Search, model: str, dimensions: Sequence[int], full: Scores | None) -> dict[int, Scores]:
    """Returns the dense scores per dimension: the same vectors, cut and brought back to length 1."""
    chunks, queries = search.indexes[model].vectors, search.queries[model].vectors
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
            for start, stop in search.spans(_CELLS_AT_ONCE)
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
    dev: EvalSet, indexes: Mapping[str, SearchIndex], candidates: Sequence[Fusion]
) -> dict[str, npt.NDArray[np.float64]]:
    """Returns model -> nDCG@10 `(n_queries, n_candidates)` of its fused scores, on at most DEV_QUERIES queries of the set."""
    search = _search(spread(dev, DEV_QUERIES), indexes)
    result = {name: np.empty((len(search.texts), len(candidates))) for name in indexes}
    wanted = [part for part in ("dense", "late", "lexical") if any(option.weights[part] for option in candidates)]
    for block in search.blocks(list(indexes) if "late" in wanted else []):
        for name in indexes:
            # The normalised parts are the costly ones, and all weights of a method share them.
            like = {(candidate.name, candidate.is_sum): candidate for candidate in candidates}
            parts = {key: normalised_parts(key[0], block.parts_of(name, one), wanted) for key, one in like.items()}
            for column, candidate in enumerate(candidates):
                fused = weighted_sum(parts[candidate.name, candidate.is_sum], candidate)
                result[name][block.start : block.stop, column] = score_queries(fused, block.relevance)[:, METRICS.index(HEADLINE)]
    return result


def spread(eval_set: EvalSet, most: int) -> EvalSet:
    """Returns the set with at most so many of its queries, spread over it."""
    kept = list(eval_set.queries.items())[:: max(1, -(-len(eval_set.queries) // most))]
    return replace(eval_set, queries=dict(kept))
