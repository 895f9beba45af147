"""Batches in which no chunk is a wrong answer to a query that it answers."""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentence_transformers.base.sampler import DefaultBatchSampler


@dataclass(frozen=True)
class Row:
    """One training pair, by numbers: equal queries, chunks and documents have equal numbers."""

    query: int
    chunk: int
    document: int


@dataclass(frozen=True)
class BatchRules:
    """How rows become batches."""

    batch_size: int
    """Chunks per batch."""
    queries_at_once: int
    """Queries of one chunk that share a batch, at most."""
    same_document: str = "apart"
    """`apart`: the chunks of a document go to different batches as far as possible; `mixed`: they fall where they fall."""
    hard_chunks: int = 0
    """Chunks that look like a chunk and share its batch, so that each is a hard wrong answer to the other's queries."""


Neighbours = Mapping[int, Sequence[int]]
"""Chunk -> chunks that look like it, the most alike first."""


@dataclass
class _Batch:
    """A batch that is being filled: the numbers of its rows, and the chunks that it has so far."""

    rows: list[int] = field(default_factory=list)
    n_chunks: int = 0
    chunks: set[int] = field(default_factory=set)
    answers: set[int] = field(default_factory=set)
    """Every chunk that answers one of the batch's queries."""


class PairBatches(DefaultBatchSampler):
    """Deals the rows into batches, anew each epoch, the same for the same seed.

    sentence-transformers builds it through its `batch_sampler` argument.

    Args:
        dataset: As sentence-transformers passes it; row i is `rows[i]`.
        rows: The training pairs.
        rules: Batch size and what must not meet.
        seed: Decides the order.
        neighbours: Chunks that look alike, for `rules.hard_chunks`.
        **_: What else sentence-transformers passes.
    """

    def __init__(
        self, dataset: Any, *, rows: Sequence[Row], rules: BatchRules, seed: int, neighbours: Neighbours | None = None, **_: Any
    ) -> None:
        super().__init__(dataset, batch_size=rules.batch_size, drop_last=False)
        self.rows, self.rules, self.seed, self.neighbours = rows, rules, seed, neighbours or {}
        self._n_batches = count_batches(rows, rules)

    def __len__(self) -> int:
        return self._n_batches

    def __iter__(self) -> Iterator[list[int]]:
        rng = random.Random(f"{self.seed}/{self.epoch}")
        batches, _ = plan_batches(self.rows, self.rules, self._n_batches, rng, self.neighbours)
        yield from batches


def count_batches(rows: Sequence[Row], rules: BatchRules) -> int:
    """Returns how many batches an epoch has: enough for all chunks, and for the chunk that comes most often.

    A chunk with very many queries does not force everyone into tiny batches: the count is at most twice what full batches
    would need, and the queries for which no batch is left take turns over the epochs.
    """
    portions = _portions(rows, rules.queries_at_once)
    n_portions = sum(len(own) for own in portions.values())
    full = -(-n_portions // min(rules.batch_size, max(1, len(portions))))
    return max(full, min(2 * full, max(len(own) for own in portions.values())))


def plan_batches(
    rows: Sequence[Row], rules: BatchRules, n_batches: int, rng: random.Random, neighbours: Neighbours | None = None
) -> tuple[list[list[int]], list[int]]:
    """Returns `n_batches` batches of row numbers, and the rows for which there was no place.

    No chunk of a batch answers a query that stands there with another chunk. Portions (a chunk with some of its queries) are
    dealt like cards, so that batches are of one size, and portions that follow one another never meet: a document's chunks
    are dealt one after another to keep them apart. With `rules.hard_chunks` a hand is a portion with those of its neighbours.
    """
    answers = defaultdict[int, set[int]](set)
    for row in rows:
        answers[row.query].add(row.chunk)
    portions = _shuffled(rows, rules, rng)
    capacity = -(-len(portions) // n_batches)
    waiting = deque(_hands(portions, rows, rules.hard_chunks, neighbours or {}))
    batches = [_Batch() for _ in range(n_batches)]
    left_out = list[int]()
    turn = 0
    while waiting:
        first = None
        for portion in waiting.popleft():
            chunk = rows[portion[0]].chunk
            answering = set().union(*(answers[rows[index].query] for index in portion))
            order = [((turn if first is None else first) + step) % n_batches for step in range(n_batches)]
            free = [number for number in order if _fits(batches[number], chunk, answering)]
            number = next((number for number in free if batches[number].n_chunks < capacity), free[0] if free else None)
            if number is None:
                # Its queries have other answers in every batch: perhaps each of them has a place by itself.
                waiting.extend([[index]] for index in portion) if len(portion) > 1 else left_out.extend(portion)
                continue
            batch = batches[number]
            batch.rows.extend(portion)
            batch.n_chunks += 1
            batch.chunks.add(chunk)
            batch.answers |= answering
            first = number if first is None else first
        turn = turn if first is None else (first + 1) % n_batches
    rng.shuffle(batches)
    return [batch.rows for batch in batches], left_out


def _hands(portions: Sequence[list[int]], rows: Sequence[Row], n_alike: int, neighbours: Neighbours) -> list[list[list[int]]]:
    """Returns the portions in hands: each with those of up to `n_alike` chunks that look like its own."""
    of_chunk = defaultdict[int, list[list[int]]](list)
    for portion in portions:
        of_chunk[rows[portion[0]].chunk].append(portion)
    dealt = set[int]()  # the first rows of portions
    hands = list[list[list[int]]]()
    for portion in portions:
        if portion[0] in dealt:
            continue
        hand = [portion]
        dealt.add(portion[0])
        for chunk in neighbours.get(rows[portion[0]].chunk, ()) if n_alike else ():
            if len(hand) > n_alike:
                break
            other = next((own for own in of_chunk[chunk] if own[0] not in dealt), None)
            if other is not None:
                hand.append(other)
                dealt.add(other[0])
        hands.append(hand)
    return hands


def _fits(batch: _Batch, chunk: int, answering: set[int]) -> bool:
    return chunk not in batch.answers and batch.chunks.isdisjoint(answering)


def _portions(rows: Sequence[Row], queries_at_once: int) -> dict[int, list[list[int]]]:
    """Returns, per chunk, its row numbers in portions of at most `queries_at_once`."""
    of_chunk = defaultdict[int, list[int]](list)
    for index, row in enumerate(rows):
        of_chunk[row.chunk].append(index)
    return {
        chunk: [own[start : start + queries_at_once] for start in range(0, len(own), queries_at_once)]
        for chunk, own in of_chunk.items()
    }


def _shuffled(rows: Sequence[Row], rules: BatchRules, rng: random.Random) -> list[list[int]]:
    """Returns the portions in a random order in which those of a chunk, and of a document if it matters, follow one another."""
    by_number = list(range(len(rows)))
    rng.shuffle(by_number)
    of_chunk = defaultdict[int, list[int]](list)
    for index in by_number:
        of_chunk[rows[index].chunk].append(index)
    of_document = defaultdict[int, list[list[int]]](list)
    for chunk, own in of_chunk.items():
        document = rows[own[0]].document if rules.same_document == "apart" else chunk
        portions = [own[start : start + rules.queries_at_once] for start in range(0, len(own), rules.queries_at_once)]
        of_document[document].extend(portions)
    return [portion for portions in of_document.values() for portion in portions]
