"""Batches: no chunk beside a query that it answers for another row, nothing dropped, the same for a seed."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from finetrieve.training.batches import BatchRules, PairBatches, Row, count_batches, plan_batches


def corpus(n_chunks: int, queries: int, per_document: int = 5) -> list[Row]:
    return [Row(chunk * queries + i, chunk, chunk // per_document) for chunk in range(n_chunks) for i in range(queries)]


def with_shared_queries(rows: list[Row], seed: int) -> list[Row]:
    """Adds rows in which another chunk answers a query too."""
    rng, n_chunks = random.Random(seed), max(row.chunk for row in rows) + 1
    others = [(row.query, rng.randrange(n_chunks)) for row in rng.sample(rows, len(rows) // 5)]
    return rows + [Row(query, chunk, chunk // 5) for query, chunk in others]


def assert_no_answer_is_a_negative(batches: list[list[int]], rows: list[Row]) -> None:
    answers = defaultdict(set)
    for row in rows:
        answers[row.query].add(row.chunk)
    for batch in batches:
        chunks = {rows[index].chunk for index in batch}
        for index in batch:
            assert answers[rows[index].query] & chunks == {rows[index].chunk}


@pytest.mark.parametrize("queries_at_once", [1, 2, 8])
@pytest.mark.parametrize("same_document", ["apart", "mixed"])
@pytest.mark.parametrize("seed", range(5))
def test_no_chunk_of_a_batch_answers_the_query_of_another(queries_at_once: int, same_document: str, seed: int) -> None:
    rows = with_shared_queries(corpus(60, 4), seed)
    rules = BatchRules(16, queries_at_once, same_document)
    batches, left_out = plan_batches(rows, rules, count_batches(rows, rules), random.Random(seed))
    assert_no_answer_is_a_negative(batches, rows)
    assert sorted([*left_out, *(index for batch in batches for index in batch)]) == list(range(len(rows)))
    assert len(left_out) <= len(rows) * 0.05


@pytest.mark.parametrize(
    ("n_chunks", "queries", "rules", "n_batches"),
    [
        (64, 4, BatchRules(16, 8), 4),  # a chunk's four queries go together
        (64, 4, BatchRules(16, 1), 16),
        (3, 4, BatchRules(64, 1), 4),  # fewer chunks than a batch has room for
        (10, 1, BatchRules(64, 8), 1),
    ],
)
def test_an_epoch_has_equal_batches_and_drops_nothing(n_chunks: int, queries: int, rules: BatchRules, n_batches: int) -> None:
    rows = corpus(n_chunks, queries)
    batches, left_out = plan_batches(rows, rules, count_batches(rows, rules), random.Random(0))
    assert (len(batches), left_out) == (n_batches, [])
    assert len({len(batch) for batch in batches}) == 1


def test_chunks_of_a_document_are_kept_apart_as_far_as_there_are_batches() -> None:
    rows = corpus(64, 1, per_document=4)
    batches, _ = plan_batches(rows, BatchRules(16, 1, "apart"), 4, random.Random(1))
    assert all(len({rows[index].document for index in batch}) == len(batch) for batch in batches)


def test_one_chunk_with_very_many_queries_does_not_force_tiny_batches() -> None:
    rows = [*corpus(200, 2), *(Row(10_000 + i, 0, 0) for i in range(500))]
    rules = BatchRules(64, 1)
    n_batches = count_batches(rows, rules)
    batches, left_out = plan_batches(rows, rules, n_batches, random.Random(0))
    assert n_batches <= 2 * -(-len(rows) // 64)
    assert {rows[index].chunk for index in left_out} == {0}
    assert sum(map(len, batches)) + len(left_out) == len(rows)


def test_the_sampler_gives_the_same_batches_for_a_seed_and_others_each_epoch() -> None:
    rows = corpus(40, 3)

    def batches(seed: int, epoch: int) -> list[list[int]]:
        sampler = PairBatches(rows, rows=rows, rules=BatchRules(8, 2), seed=seed, batch_size=8, drop_last=False)
        sampler.set_epoch(epoch)
        found = list(sampler)
        assert len(found) == len(sampler)
        return found

    assert batches(1, 0) == batches(1, 0)
    assert batches(1, 0) != batches(1, 1)
    assert batches(1, 0) != batches(2, 0)


def test_chunks_that_look_alike_share_a_batch_where_hard_chunks_are_asked_for() -> None:
    rows = corpus(64, 2)
    groups = {chunk: [other for other in range(chunk // 4 * 4, chunk // 4 * 4 + 4) if other != chunk] for chunk in range(64)}

    def together(rules: BatchRules) -> float:
        batches, left_out = plan_batches(rows, rules, 4, random.Random(3), groups)
        assert left_out == []
        assert sorted(index for batch in batches for index in batch) == list(range(len(rows)))
        assert len({len(batch) for batch in batches}) == 1
        place = {rows[index].chunk: number for number, batch in enumerate(batches) for index in batch}
        return sum(place[chunk] == place[other] for chunk, near in groups.items() for other in near) / (64 * 3)

    assert together(BatchRules(16, 2, hard_chunks=3)) == 1.0
    assert together(BatchRules(16, 2)) < 0.5


@pytest.mark.parametrize("seed", range(3))
def test_a_hard_chunk_that_answers_the_query_is_not_put_beside_it(seed: int) -> None:
    rows = with_shared_queries(corpus(60, 2), seed)
    near = {chunk: [other for other in range(60) if other != chunk] for chunk in range(60)}
    rules = BatchRules(16, 2, hard_chunks=7)
    batches, left_out = plan_batches(rows, rules, count_batches(rows, rules), random.Random(seed), near)
    assert_no_answer_is_a_negative(batches, rows)
    assert sum(map(len, batches)) + len(left_out) == len(rows)
