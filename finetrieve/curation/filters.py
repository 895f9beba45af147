"""Filters for generated queries: each class says what it is called, what it is set to, and what it drops and why."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, ClassVar, Literal, Protocol

from pydantic import Field, model_validator

from finetrieve.core.corpus import Corpus
from finetrieve.core.plugins import NamedSettings, Registry
from finetrieve.core.rows import GeneratedQuery
from finetrieve.core.settings import Settings
from finetrieve.core.tables import ROWS_AT_ONCE
from finetrieve.core.text import DOTTED_NAME, FRAME_WORDS, count_words, normalise_query, query_words


class Ranker(Protocol):
    """Finds chunks for queries."""

    def ranks(self, queries: Sequence[str], chunk_ids: Sequence[str]) -> list[int]:
        """Returns, for each query, the rank (1 is first) of the chunk beside it."""

    def confidences(self, queries: Sequence[str], chunk_ids: Sequence[str]) -> list[tuple[float, float]]:
        """Returns, for each query, how sure the vector alone and the fused search are of the chunk beside it, 0..1 each."""


@dataclass
class FilterInputs:
    """What a filter may look at besides the queries; the ranker is built when the first filter asks for it, and then shared."""

    corpus: Corpus
    make_ranker: Callable[[], Ranker]
    round_trip_ranks: dict[str, int] = field(default_factory=dict)
    """Query id -> rank of its own chunk, filled by the round trip."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What becomes of a query that is not dropped but changed."""

    query: str
    style: str
    reason: str
    """In a word or two."""


class QueryFilter(Settings):
    """A filter and its settings. Each kind is a subclass; one of another package needs no more than that.

    A subclass gives its settings, a default for `name`, `description` and `find_rejects`; its module imports nothing heavy.
    """

    description: ClassVar[str]
    """What it drops, in one line."""

    name: str

    def find_rejects(self, queries: Iterable[GeneratedQuery], given: FilterInputs) -> dict[str, str]:
        """Returns query id -> why it is dropped, in words with the value seen and the limit.

        Args:
            queries: Those that are left; they come from a table a batch at a time, and can be read again and again.
            given: What else may be looked at.
        """
        raise NotImplementedError

    def rewrite(self, queries: Iterable[GeneratedQuery]) -> dict[str, Rewritten]:  # noqa: ARG002
        """Returns query id -> what becomes of it, of those that are changed; a filter that only drops changes none."""
        return {}


class LengthFilter(QueryFilter):
    """Drops queries that say too little to be answered, or that nobody would type."""

    description: ClassVar[str] = "too short or too long to be a person's query"

    name: Literal["length"] = "length"
    min_words: int = Field(default=2, ge=1)
    """A query has at least so many."""
    max_words: int = Field(default=32, ge=1)
    """And at most so many."""

    @model_validator(mode="after")
    def _ordered(self) -> LengthFilter:
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is more than max_words {self.max_words}.")
        return self

    def find_rejects(self, queries: Iterable[GeneratedQuery], given: FilterInputs) -> dict[str, str]:  # noqa: ARG002
        """Returns the queries with too few or too many words."""
        reasons = {}
        for triplet in queries:
            n_words = count_words(triplet.query)
            if n_words < self.min_words:
                reasons[triplet.id] = f"{n_words} words, at least {self.min_words} wanted"
            elif n_words > self.max_words:
                reasons[triplet.id] = f"{n_words} words, at most {self.max_words} wanted"
        return reasons


class DuplicateFilter(QueryFilter):
    """Drops repeated queries of a chunk, and queries that so many chunks answer that they single out none."""

    description: ClassVar[str] = "exact and near duplicates, and queries that many chunks share"

    name: Literal["duplicates"] = "duplicates"
    threshold: float = Field(default=0.93, gt=0, le=1)
    """Similarity (0..1, edits between the sorted words) from which two queries of one chunk are the same query."""
    max_chunks: int = Field(default=3, ge=1)
    """A query that more chunks share is dropped; one that fewer share keeps all of them as answers."""

    def find_rejects(self, queries: Iterable[GeneratedQuery], given: FilterInputs) -> dict[str, str]:  # noqa: ARG002
        """Returns the queries that repeat an earlier one of their chunk, and those that too many chunks share.

        Near duplicates are looked for within a chunk only: queries of two chunks that differ in one word ("on Linux", "on
        Windows") are what teaches the model to tell the chunks apart. Each chunk's queries are compared with one another, so the
        work grows with the corpus and not with its square.
        """
        chunks_of = defaultdict[str, set[str]](set)
        for triplet in queries:
            chunks_of[_subject(triplet.query)].add(triplet.chunk_id)
        reasons = {}
        by_chunk = defaultdict[str, list[tuple[str, str]]](list)
        for triplet in queries:
            n_chunks = len(chunks_of[_subject(triplet.query)])
            if n_chunks > self.max_chunks:
                reasons[triplet.id] = f"{n_chunks} chunks share this query, at most {self.max_chunks} may"
            else:
                by_chunk[triplet.chunk_id].append((triplet.id, triplet.query))
        for own in by_chunk.values():
            reasons |= _find_repeats(own, self.threshold)
        return reasons


def _subject(query: str) -> str:
    """Returns what the query asks about: its words without the question's frame, sorted."""
    words = set(query_words(query))
    return " ".join(sorted(words - FRAME_WORDS))


def _find_repeats(queries: Sequence[tuple[str, str]], threshold: float) -> dict[str, str]:
    """Returns the queries (id, text) of one chunk that are (nearly) an earlier one of them."""
    from rapidfuzz import fuzz

    reasons, seen, kept = dict[str, str](), dict[str, str](), list[tuple[str, str]]()
    for identity, text in queries:
        words = query_words(text)
        exact, ordered = " ".join(words), " ".join(sorted(words))
        if exact in seen:
            reasons[identity] = f"the same query as '{seen[exact]}'"
            continue
        score, query = max(((fuzz.ratio(ordered, other) / 100, query) for other, query in kept), default=(0.0, ""))
        if score >= threshold:
            reasons[identity] = f"similarity {_above(score, threshold)} to '{query}': from {threshold:g} on it is the same query"
            continue
        seen[exact] = text
        kept.append((ordered, text))
    return reasons


def _above(score: float, threshold: float) -> str:
    """Returns a similarity in two decimals, or in as many as tell it from the threshold that it is above."""
    shown = (f"{score:.{digits}f}" for digits in (2, 3, 4, 5, 6))
    return next((text for text in shown if score == threshold or float(text) > threshold), f"{score:g}")


class CopyFilter(QueryFilter):
    """Drops queries that repeat their chunk word for word. Short queries that name a thing share its words rightly and stay."""

    description: ClassVar[str] = "cut out of the chunk word for word"

    name: Literal["copies"] = "copies"
    min_words: int = Field(default=8, ge=2)
    """Runs of fewer words are never called a copy."""
    max_share: float = Field(default=0.75, gt=0, le=1)
    """A query is a copy when one unbroken run of the chunk's words makes up more than this share of it."""

    def find_rejects(self, queries: Iterable[GeneratedQuery], given: FilterInputs) -> dict[str, str]:
        """Returns the queries that are, for the most part, one unbroken run of their chunk's words."""

        @lru_cache(maxsize=ROWS_AT_ONCE)
        def words_of_chunk(chunk_id: str) -> str:
            return f" {normalise_query(given.corpus.chunk(chunk_id).text)} "

        reasons = {}
        for triplet in queries:
            words = query_words(triplet.query)
            # A character of Japanese is a word here and half a one there: a run is as long as a reader would say.
            least = self.min_words * len(words) // max(count_words(triplet.query), 1)
            shortest = max(least, int(len(words) * self.max_share) + 1)
            run = max(_longest_run(words, words_of_chunk(chunk_id), shortest) for chunk_id in triplet.chunk_ids)
            if run:
                share = f"{run / len(words):.0%} of it ({run} words)"
                reasons[triplet.id] = f"{share} is one run of the chunk's words, at most {self.max_share:.0%} may be"
        return reasons


def _longest_run(words: Sequence[str], text: str, shortest: int) -> int:
    """Returns the length of the longest run of `words` in `text` (words between spaces), 0 when shorter than `shortest`."""
    for length in range(len(words), shortest - 1, -1):
        if any(f" {' '.join(words[start : start + length])} " in text for start in range(len(words) - length + 1)):
            return length
    return 0


class NameFilter(QueryFilter):
    """Drops queries that spell the identifier in their chunk's title: that word finds it, and nothing else is learnt."""

    description: ClassVar[str] = "spells the identifier that is the chunk's title, such as log_loss or KMeans"

    name: Literal["names"] = "names"

    def find_rejects(self, queries: Iterable[GeneratedQuery], given: FilterInputs) -> dict[str, str]:
        """Returns the queries that spell the last part of a dotted name that is their chunk's title."""
        reasons = {}
        for triplet in queries:
            for title in (given.corpus.chunk(chunk_id).title for chunk_id in triplet.chunk_ids):
                identifier = title.rpartition(".")[2]
                spelled = rf"(?<!\w){re.escape(identifier)}(?!\w)"
                if DOTTED_NAME.fullmatch(title) and re.search(spelled, triplet.query, re.IGNORECASE):
                    reasons[triplet.id] = f"spells '{identifier}', the name of what answers it"
        return reasons


class RoundTripFilter(QueryFilter):
    """Drops queries that do not find their own chunk again: neither its words nor its meaning lead there."""

    description: ClassVar[str] = "own chunk, or one of several, not within the top k of BM25 and the base model together"

    name: Literal["round_trip"] = "round_trip"
    top_k: int = Field(default=20, ge=1)
    """Chunks among which its own has to be."""

    def find_rejects(self, queries: Iterable[GeneratedQuery], given: FilterInputs) -> dict[str, str]:
        """Returns the queries that do not find their own chunk, or one of several that they need, among the first `top_k`."""
        rows = [(triplet.id, triplet.query, chunk_id) for triplet in queries for chunk_id in triplet.chunk_ids]
        if not rows:
            return {}
        identities, texts, chunk_ids = zip(*rows, strict=True)
        worst: dict[str, int] = {}
        for identity, rank in zip(identities, given.make_ranker().ranks(texts, chunk_ids), strict=True):
            worst[identity] = max(rank, worst.get(identity, 0))
        given.round_trip_ranks.update(worst)
        needed = Counter(identities)
        return {
            identity: f"{_answer_of(needed[identity])} at rank {rank}, within {self.top_k} wanted"
            for identity, rank in worst.items()
            if rank > self.top_k
        }


class JudgeFilter(QueryFilter):
    """Drops queries that the LLM scored low as a judge (`judge` of a recipe); those without a score stay."""

    description: ClassVar[str] = "scored low by the LLM that judged them; needs `judge` in the recipe"

    name: Literal["judge"] = "judge"
    at_least: float = Field(default=7, ge=0, le=10)
    """The lowest of the four scores, 0..10, that a query may have."""

    def find_rejects(self, queries: Iterable[GeneratedQuery], given: FilterInputs) -> dict[str, str]:  # noqa: ARG002
        """Returns the queries with a lower score."""
        return {
            row.id: f"the judge's score is {row.judge_score:g}, at least {self.at_least:g} wanted"
            for row in queries
            if row.judge_score is not None and row.judge_score < self.at_least
        }


def _answer_of(needed: int) -> str:
    return "own chunk" if needed == 1 else f"one of the {needed} chunks that it needs"


FILTERS: Registry[QueryFilter] = Registry(
    "filter",
    "finetrieve.filters",
    QueryFilter,
    [
        "finetrieve.curation.filters:LengthFilter",
        "finetrieve.curation.filters:DuplicateFilter",
        "finetrieve.curation.filters:CopyFilter",
        "finetrieve.curation.filters:NameFilter",
        "finetrieve.curation.filters:JudgeFilter",
        "finetrieve.curation.filters:RoundTripFilter",
        "finetrieve.curation.contrastive:ContrastiveFilter",
        "finetrieve.curation.noise:NoiseTransform",
    ],
)
FilterSettings = Annotated[QueryFilter, NamedSettings(FILTERS)]
