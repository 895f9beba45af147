"""Filters: what is dropped, why, and that nothing is dropped silently."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from finetrieve.core.corpus import Corpus
from finetrieve.core.rows import Chunk, GeneratedQuery, Reject
from finetrieve.core.tables import to_rows, to_table
from finetrieve.curation.curate import curate as curate_table
from finetrieve.curation.filters import (
    FILTERS,
    CopyFilter,
    DuplicateFilter,
    LengthFilter,
    NameFilter,
    QueryFilter,
    Ranker,
    RoundTripFilter,
)

TEXT = "To rotate the signing key, open the admin console and choose Rotate. The old key stays valid for one hour."


def chunk(name: str, text: str = TEXT) -> Chunk:
    return Chunk(name, f"doc-{name}", "source", "Keys", "", text, 30, 0)


def triplet(query: str, chunk_id: str = "a", number: int = 0) -> GeneratedQuery:
    return GeneratedQuery(f"{chunk_id}/{number}/{query}", chunk_id, query, None, "how_to", "rules", "test")


@dataclass
class Curated:
    triplets: list[GeneratedQuery]
    rejects: list[Reject]
    report: dict[str, Any]
    round_trip_ranks: dict[str, int]


def curate(
    rows: Sequence[GeneratedQuery],
    chunks: Sequence[Chunk],
    filters: Sequence[QueryFilter],
    make_ranker: Callable[[], Ranker] | None = None,
) -> Curated:
    result = curate_table(to_table(rows, GeneratedQuery), Corpus.from_rows(chunks), filters, make_ranker=make_ranker)
    queries, rejects = to_rows(result.queries, GeneratedQuery), to_rows(result.rejects, Reject)
    return Curated(queries, rejects, result.report.model_dump(), result.round_trip_ranks)


class FixedRanker:
    def __init__(self, ranks: dict[str, int]) -> None:
        self._ranks = ranks

    def ranks(self, queries: Sequence[str], chunk_ids: Sequence[str]) -> list[int]:
        assert len(queries) == len(chunk_ids)
        return [self._ranks[query] for query in queries]


def test_every_filter_is_registered_with_a_description() -> None:
    assert set(FILTERS.names()) == {"length", "duplicates", "copies", "names", "judge", "round_trip", "contrastive", "noise"}
    assert all(FILTERS.descriptions().values())


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("Install?", "1 words, at least 2 wanted"),
        ("", "0 words, at least 2 wanted"),
        ("?!", "0 words, at least 2 wanted"),
        ("how do I rotate the key now", "7 words, at most 6 wanted"),
        ("rotate keys", None),
        ("use C++ and node.js here", None),
    ],
)
def test_length_counts_words_not_punctuation(query: str, reason: str | None) -> None:
    result = curate([triplet(query)], [chunk("a")], [LengthFilter(min_words=2, max_words=6)])
    assert [reject.reason for reject in result.rejects] == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("queries", "kept"),
    [
        (["How do I rotate keys?", "how do i rotate keys"], 1),
        (["How do I rotate the key?", "How do I rotate the keys?"], 1),
        (["How do I rotate keys?", "Can keys be revoked?"], 2),
        (["Ｈow do I rotate keys?", "How do I rotate keys?"], 1),  # a full-width letter
    ],
)
def test_a_query_that_repeats_one_of_its_chunk_goes_and_the_first_stays(queries: list[str], kept: int) -> None:
    result = curate([triplet(query, number=i) for i, query in enumerate(queries)], [chunk("a")], [DuplicateFilter()])
    assert [row.query for row in result.triplets] == queries[:kept]


def test_a_similarity_is_told_apart_from_the_threshold_that_it_is_above() -> None:
    rows = [triplet(query, number=i) for i, query in enumerate(["rotate keys now", "rotate keyz now"])]
    for threshold, shown in ((0.93, "0.933"), (0.9, "0.93")):  # 14 of 15 letters are the same: 0.9333...
        [reject] = curate(rows, [chunk("a")], [DuplicateFilter(threshold=threshold)]).rejects
        assert reject.reason == f"similarity {shown} to 'rotate keys now': from {threshold:g} on it is the same query"


def test_queries_of_two_chunks_that_differ_in_one_word_both_stay() -> None:
    rows = [triplet("How do I install it on Linux?", "a"), triplet("How do I install it on Windows?", "b")]
    assert curate(rows, [chunk("a"), chunk("b")], [DuplicateFilter(threshold=0.5)]).triplets == rows


@pytest.mark.parametrize(("n_chunks", "kept"), [(2, 2), (3, 3), (4, 0)])
def test_a_query_that_few_chunks_share_keeps_them_all_and_one_that_many_share_goes(n_chunks: int, kept: int) -> None:
    ways = ["What is an artifact store?", "what is the Artifact store", "How is an artifact store?", "What are artifact store"]
    rows = [triplet(ways[i], f"c{i}") for i in range(n_chunks)]
    result = curate(rows, [chunk(f"c{i}") for i in range(n_chunks)], [DuplicateFilter(max_chunks=3)])
    assert len(result.triplets) == kept
    assert all("4 chunks share this query, at most 3 may" in reject.reason for reject in result.rejects)


@pytest.mark.parametrize(
    ("query", "copied"),
    [
        ("open the admin console and choose Rotate. The old key stays valid", True),
        ("To rotate the signing key, open the admin console?", True),
        ("rotate the signing key", False),  # a short title shares its words rightly
        ("How do I rotate the signing key without logging everybody out of the shop?", False),
        ("signing key admin console rotate old valid hour choose", False),  # the words, but no run of them
    ],
)
def test_a_long_run_of_the_chunks_words_is_a_copy(query: str, copied: bool) -> None:
    result = curate([triplet(query)], [chunk("a")], [CopyFilter()])
    assert bool(result.rejects) is copied


@pytest.mark.parametrize(
    ("title", "query", "dropped"),
    [
        ("sklearn.metrics.log_loss", "How do I use log_loss?", True),
        ("sklearn.cluster.KMeans", "what does kmeans do", True),
        ("sklearn.cluster.KMeans", "What is MiniBatchKMeans for?", False),
        ("sklearn.metrics.log_loss", "How can I compute the logarithmic loss?", False),
        ("Night mode", "How do I use night mode?", False),  # a title in words is asked for by its words
    ],
)
def test_a_query_that_spells_the_identifier_in_the_title_teaches_nothing(title: str, query: str, dropped: bool) -> None:
    result = curate([triplet(query)], [replace(chunk("a"), title=title)], [NameFilter()])
    assert bool(result.rejects) is dropped


def test_round_trip_keeps_what_finds_its_own_chunk_and_records_every_rank() -> None:
    ranker = FixedRanker({"near": 1, "edge": 5, "far": 6})
    rows = [triplet(query) for query in ("near", "edge", "far")]
    result = curate(rows, [chunk("a")], [RoundTripFilter(top_k=5)], make_ranker=lambda: ranker)
    assert [row.query for row in result.triplets] == ["near", "edge"]
    assert result.rejects[0].reason == "own chunk at rank 6, within 5 wanted"
    assert list(result.round_trip_ranks.values()) == [1, 5, 6]


def test_filters_run_in_order_and_everything_dropped_is_counted_and_kept() -> None:
    rows = [triplet(q, number=i) for i, q in enumerate(["Key?", "rotate a key", "Rotate a key!", "revoke the tokens"])]
    result = curate(rows, [chunk("a")], [LengthFilter(), DuplicateFilter()])
    assert result.report["length"] == {
        "in": 4,
        "kept": 3,
        "rate": 0.75,
        "changed": 0,
        "examples": [{"query": "Key?", "reason": "1 words, at least 2 wanted"}],
    }
    assert (result.report["duplicates"]["in"], result.report["duplicates"]["kept"]) == (3, 2)
    assert len(result.triplets) + len(result.rejects) == len(rows)
    assert [reject.filter for reject in result.rejects] == ["length", "duplicates"]


def test_the_ranker_is_not_built_unless_a_filter_asks() -> None:
    def never() -> FixedRanker:
        raise AssertionError("built")

    assert curate([triplet("rotate a key")], [chunk("a")], [LengthFilter()], make_ranker=never).triplets
    assert curate([], [chunk("a")], [RoundTripFilter()], make_ranker=never).report["round_trip"]["rate"] == 1.0
