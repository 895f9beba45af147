"""Storage costs: what fewer dimensions, fewer bits and fewer token vectors save, and what they cost in nDCG@10."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from finetrieve.core.arrays import FloatMatrix, Integers
from finetrieve.evaluation.bootstrap import interval, resampled_means
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.metrics import HEADLINE, METRICS, Relevance, relevance_of, score_queries
from finetrieve.evaluation.result import StorageCosts, StoragePoint
from finetrieve.evaluation.scoring import spread, units_of
from finetrieve.retrieval.encoder import unit_rows
from finetrieve.retrieval.fusion import Fusion, Parts, first_rows, fuse, fuse_first, put_first
from finetrieve.retrieval.hybrid_index import Queries, SearchIndex
from finetrieve.retrieval.late_interaction import TokenVectors, late_scores, one_thread
from finetrieve.retrieval.quantization import PRECISIONS, Precision, pack, pool_tokens, unpack, vector_bytes
from finetrieve.retrieval.units import Units

Way = Literal["late", "dense", "rerank20"]
T = TypeVar("T")

TOKEN_DIMS = (384, 128, 64, 32)
DENSE_DIMS = (384, 256, 128, 64)
POOLINGS = (1, 2, 3)
MOST_QUERIES = 300
MOST_CHUNKS = 20_000
"""Above so many they are not measured: it would take an hour."""
DEPTH = 20
RESCORED = 100
"""First texts of a binary dense search that are scored again by int8 vectors."""
LOSS = 0.01
"""nDCG@10 that the recommended point may lose against whole vectors."""
_TIMED = 8
"""Queries that are timed, one after the other."""
_TIMED_SECONDS = 0.5
_CELLS = 1 << 33
"""Query tokens by chunk tokens over all points, which bounds the minutes: with more tokens fewer queries are asked."""
_FEWEST_QUERIES = 50


@dataclass(frozen=True)
class _Point:
    """A way of storing vectors, and what it was measured to cost and score."""

    way: Way
    dims: int
    precision: Precision
    pooling: int
    ndcg: npt.NDArray[np.float64]
    """`(n_queries,)`"""
    bytes_per_chunk: float
    ms_per_query: float


@dataclass(frozen=True)
class _Ground:
    """What all points are measured on."""

    index: SearchIndex
    queries: Queries
    units: Units
    relevance: Relevance
    parts: Parts
    """Dense and lexical scores `(n_queries, n_units)`, as they are added up."""
    first: FloatMatrix
    """Of the hybrid, `(n_queries, n_units)`."""
    rows: Integers
    """Its first units, `(n_queries, DEPTH)`."""
    hybrid: Fusion
    fused: Fusion
    encoding_ms: float
    """What encoding one query takes."""

    def ndcg(self, by_chunk: FloatMatrix) -> npt.NDArray[np.float64]:
        """Returns nDCG@10 `(n_queries,)` of scores `(n_queries, n_chunks)`."""
        return self.ndcg_of_units(self.units.best(by_chunk))

    def ndcg_of_units(self, scores: FloatMatrix) -> npt.NDArray[np.float64]:
        """Returns nDCG@10 `(n_queries,)` of scores `(n_queries, n_units)`."""
        return np.asarray(score_queries(scores, self.relevance)[:, METRICS.index(HEADLINE)])


def measure_storage_costs(
    eval_set: EvalSet, index: SearchIndex, hybrid: Fusion, fused: Fusion, samples: int, seed: int
) -> tuple[StorageCosts | None, list[str]]:
    """Returns what storing a model's vectors costs on an evaluation set, and notes; None where that is left out.

    Args:
        eval_set: Human questions, where there are some.
        index: The corpus.
        hybrid: How the first stage of `rerank20` adds up.
        fused: How its second one does.
        samples: Of the bootstrap.
        seed: Of the bootstrap.
    """
    if len(index) > MOST_CHUNKS:
        return None, [f"No bill of dimensions and bits: the corpus has {len(index):,} chunks, and it stops at {MOST_CHUNKS:,}."]
    if index.tokens is None:
        return None, ["No bill of dimensions and bits: the model gives no token vectors."]
    ground = _ground(eval_set, index, hybrid, fused)
    points = [*_late_points(ground, index.tokens), *_dense_points(ground)]
    means = resampled_means(np.stack([point.ndcg for point in points], axis=1), samples, seed)
    best = _recommended(points)
    rows = [_row(point, means[:, column], column == best) for column, point in enumerate(points)]
    return StorageCosts(points=rows, n_queries=len(ground.queries.texts)), []


def _row(point: _Point, means: npt.NDArray[np.float64], recommended: bool) -> StoragePoint:
    return StoragePoint(
        way=point.way,
        dims=point.dims,
        precision=point.precision,
        pooling=point.pooling,
        ndcg=interval(point.ndcg, means),
        bytes_per_chunk=round(point.bytes_per_chunk, 1),
        ms_per_query=round(point.ms_per_query, 2),
        recommended=recommended,
    )


def _recommended(points: Sequence[_Point]) -> int:
    """Returns the smallest point that loses at most LOSS against the best way of searching with whole vectors."""
    scores = [float(point.ndcg.mean()) for point in points]
    whole: dict[str, float] = {}
    for point, score in zip(points, scores, strict=True):
        whole.setdefault(point.way, score)  # the first of a way
    fitting = [row for row, score in enumerate(scores) if score >= max(whole.values()) - LOSS - 1e-9]
    return min(fitting, key=lambda row: (points[row].bytes_per_chunk, -scores[row]))


def _ground(eval_set: EvalSet, index: SearchIndex, hybrid: Fusion, fused: Fusion) -> _Ground:
    assert index.tokens is not None
    affordable = _CELLS // max(1, 12 * len(index.tokens.ids) * len(POOLINGS) * len(PRECISIONS))
    asked = spread(eval_set, min(MOST_QUERIES, max(_FEWEST_QUERIES, affordable)))
    units = units_of(asked)
    columns = {unit: column for column, unit in enumerate(units.ids)}
    relevance = relevance_of([asked.qrels[query] for query in asked.queries], columns)
    queries = index.prepare(list(asked.queries.values()))
    # The first stage of `rerank20` reads what would be stored: int8.
    stored = unpack(pack(index.vectors, "int8"))
    lexical, coverage = index.bm25.scores(queries.texts), index.bm25.coverage(queries.texts)
    parts = Parts(queries.texts, lexical, queries.vectors @ stored.T, coverage=coverage)
    encoding_ms = _median_ms(lambda text: index.encode_anew([text]), list(queries.texts))
    by_unit = units.parts(parts, hybrid)
    first = fuse(by_unit, hybrid)
    rows = first_rows(first, DEPTH)
    return _Ground(index, queries, units, relevance, by_unit, first, rows, hybrid, fused, encoding_ms)


# 1. Token vectors.


def _late_points(ground: _Ground, tokens: TokenVectors) -> Iterator[_Point]:
    first_stage_bytes = vector_bytes(ground.index.vectors.shape[1], "int8")
    for pooling in POOLINGS:
        pooled = pool_tokens(tokens, pooling)
        per_chunk = len(pooled.ids) / max(1, len(pooled))
        for dims in _up_to(TOKEN_DIMS, tokens.vectors.shape[1]):
            cut, queries = pooled.cut(dims), _cut(ground.queries, dims)
            assert queries.tokens is not None
            for precision in PRECISIONS:
                stored = pack(np.asarray(cut.vectors, np.float32), precision)
                read = replace(cut, vectors=unpack(stored).astype(np.float16))
                scores = late_scores(queries.tokens, read, queries.weights, ground.index.precision)
                size = per_chunk * vector_bytes(dims, precision)
                ms = _milliseconds(ground, partial(_search_late, ground, read, dims))
                yield _Point("late", dims, precision, pooling, ground.ndcg(scores), size, ms)
                late = np.take_along_axis(ground.units.whole(scores), ground.rows, axis=1)
                again = put_first(ground.first, ground.rows, fuse_first(ground.parts, late, ground.rows, ground.fused))
                ms = _milliseconds(ground, partial(_search_first, ground, read, dims))
                yield _Point("rerank20", dims, precision, pooling, ground.ndcg_of_units(again), size + first_stage_bytes, ms)


def _search_late(ground: _Ground, tokens: TokenVectors, dims: int, query: Queries) -> None:
    cut = _cut(query, dims)
    assert cut.tokens is not None
    late_scores(cut.tokens, tokens, cut.weights, ground.index.precision)


def _search_first(ground: _Ground, tokens: TokenVectors, dims: int, query: Queries) -> None:
    bm25 = ground.index.bm25
    parts = Parts(query.texts, bm25.scores(query.texts), ground.index.dense(query), coverage=bm25.coverage(query.texts))
    parts = ground.units.parts(parts, ground.hybrid)
    first = fuse(parts, ground.hybrid)
    rows = first_rows(first, DEPTH)
    cut = _cut(query, dims)
    assert cut.tokens is not None
    chunks = np.concatenate([ground.units.chunks_of(unit) for unit in rows[0]])
    by_chunk = late_scores(cut.tokens, tokens.take(chunks), cut.weights, ground.index.precision)
    late = ground.units.some(rows[0]).whole(by_chunk)
    put_first(first, rows, fuse_first(parts, late, rows, ground.fused))


def _cut(queries: Queries, dims: int) -> Queries:
    assert queries.tokens is not None
    return replace(queries, tokens=queries.tokens.cut(dims))


# 2. Dense vectors.


def _dense_points(ground: _Ground) -> Iterator[_Point]:
    vectors = ground.index.vectors
    for dims in _up_to(DENSE_DIMS, vectors.shape[1]):
        cut = unit_rows(np.ascontiguousarray(vectors[:, :dims]))
        queries = unit_rows(np.ascontiguousarray(ground.queries.vectors[:, :dims]))
        exact = unpack(pack(cut, "int8"))
        for precision in PRECISIONS:
            stored = unpack(pack(cut, precision))
            rescored = exact if precision == "binary" else None
            size = vector_bytes(dims, precision) + (vector_bytes(dims, "int8") if rescored is not None else 0)
            scores = _dense_scores(queries, stored, rescored)
            ms = _milliseconds(ground, partial(_search_dense, stored, rescored))
            yield _Point("dense", dims, precision, 1, ground.ndcg(scores), size, ms)


def _search_dense(stored: FloatMatrix, rescored: FloatMatrix | None, query: Queries) -> None:
    cut = unit_rows(np.ascontiguousarray(query.vectors[:, : stored.shape[1]]))
    _dense_scores(cut, stored, rescored)


def _dense_scores(queries: FloatMatrix, stored: FloatMatrix, rescored: FloatMatrix | None) -> FloatMatrix:
    """Returns scores `(n_queries, n_chunks)`; with `rescored` the first RESCORED are scored again by those vectors."""
    scores = queries @ stored.T
    if rescored is None:
        return scores
    rows = first_rows(scores, RESCORED)
    again = np.stack([rescored[found] @ query for found, query in zip(rows, queries, strict=True)])
    return put_first(scores, rows, again)


def _up_to(dims: Sequence[int], length: int) -> list[int]:
    """Returns the vectors' own length and the shorter ones of `dims`, the longest first."""
    return sorted({length, *(size for size in dims if size < length)}, reverse=True)


def _milliseconds(ground: _Ground, search: Callable[[Queries], None]) -> float:
    """Returns what a query takes, its encoding included: the median over a few, asked one after the other."""
    return ground.encoding_ms + _median_ms(
        search, [ground.queries.part(row, row + 1) for row in range(len(ground.queries.texts))]
    )


def _median_ms(work: Callable[[T], object], items: Sequence[T]) -> float:
    """Returns the median time of the work on an item; the first one warms up, loads the model if need be, and does not count."""
    taken: list[float] = []
    with one_thread():
        work(items[0])
        for item in items[:_TIMED]:
            start = time.perf_counter()
            work(item)
            taken.append(time.perf_counter() - start)
            if sum(taken) > _TIMED_SECONDS:
                break
    return 1000 * float(np.median(taken))
