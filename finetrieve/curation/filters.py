"""Filters for generated queries: each says what it drops and why, and nothing is dropped silently."""

from __future__ import annotations

import importlib
import re
import typing
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from finetrieve.core.rows import Chunk, Reject, Triplet
from finetrieve.core.text import DOTTED_NAME, normalise_query, query_words
from finetrieve.curation.settings import CopyFilter, DuplicateFilter, FilterSettings, LengthFilter, NameFilter, RoundTripFilter

_VARIANTS = typing.get_args(typing.get_args(FilterSettings)[0])
FILTERS: dict[str, tuple[str, str]] = {kind.model_fields["name"].default: (kind.description, kind.function) for kind in _VARIANTS}
"""Name -> (description, "module:function"), read off the settings classes."""

EXAMPLES = 5
"""Rejects that the report quotes per filter."""

# Words that change how a question is put but not what it asks for.
_FRAME = frozenset(
    _word
    for _words in (
        "a an the of to in on for with from by at and or",
        "is are was be do does did can could should would will",
        "i you we my your our it its this that there",
        "how what which when where why who",
    )
    for _word in _words.split()
)


class Ranker(Protocol):
    """Finds chunks for queries."""

    def ranks(self, queries: Sequence[str], chunk_ids: Sequence[str]) -> list[int]:
        """Returns, for each query, the rank (1 is first) of the chunk beside it."""


@dataclass
class Material:
    """What a filter may look at besides the queries; the ranker is built when the first filter asks for it."""

    chunks: Mapping[str, Chunk]
    make_ranker: Callable[[], Ranker]
    round_trip_ranks: dict[str, int] = field(default_factory=dict)
    """Triplet id -> rank of its own chunk, filled by the round trip."""


@dataclass(frozen=True)
class CurationResult:
    """The queries that stay, the others with the reason, and what each filter did."""

    triplets: list[Triplet]
    rejects: list[Reject]
    report: dict[str, Any]
    """Filter -> `in`, `kept`, `rate` (0..1) and `examples` of what it dropped, in the order in which they ran."""
    round_trip_ranks: dict[str, int]
    """Triplet id -> rank of its own chunk (1 is first), for all that reached the round trip."""


def curate(
    triplets: Sequence[Triplet],
    chunks: Sequence[Chunk],
    filters: Sequence[FilterSettings],
    base_model: str = "embedded",
    make_ranker: Callable[[], Ranker] | None = None,
) -> CurationResult:
    """Returns the triplets that pass every filter, in their order, and the rest with reasons.

    Args:
        triplets: Generated queries; each names one of `chunks`.
        chunks: The corpus.
        filters: What to apply, in this order.
        base_model: The model of the round trip's dense half.
        make_ranker: Builds another ranker for the round trip; by default a hybrid of BM25 and `base_model`.
    """
    material = Material({chunk.id: chunk for chunk in chunks}, make_ranker or _hybrid_ranker(chunks, base_model))
    kept, rejects, report = list(triplets), list[Reject](), dict[str, Any]()
    for settings in filters:
        reasons = _filter_function(settings.name)(kept, material, settings)
        dropped = [Reject(t.id, t.chunk_id, t.query, settings.name, reasons[t.id]) for t in kept if t.id in reasons]
        remaining = [t for t in kept if t.id not in reasons]
        report[settings.name] = {
            "in": len(kept),
            "kept": len(remaining),
            "rate": round(len(remaining) / len(kept), 4) if kept else 1.0,
            "examples": [{"query": reject.query, "reason": reject.reason} for reject in dropped[:EXAMPLES]],
        }
        rejects.extend(dropped)
        kept = remaining
    ranks = material.round_trip_ranks
    return CurationResult([replace(t, round_trip_rank=ranks.get(t.id)) for t in kept], rejects, report, ranks)


def _filter_function(name: str) -> Callable[[Sequence[Triplet], Material, Any], dict[str, str]]:
    module, function = FILTERS[name][1].split(":")
    found: Callable[[Sequence[Triplet], Material, Any], dict[str, str]] = getattr(importlib.import_module(module), function)
    return found


def _hybrid_ranker(chunks: Sequence[Chunk], base_model: str) -> Callable[[], Ranker]:
    def make() -> Ranker:
        from finetrieve.curation.round_trip import HybridRanker

        return HybridRanker(chunks, base_model)

    return make


def _subject(query: str) -> str:
    """Returns what the query asks about: its words without the question's frame, sorted."""
    words = set(query_words(query))
    return " ".join(sorted(words - _FRAME))


# The filters: triplet id -> reason, for those to drop.


def by_length(triplets: Sequence[Triplet], material: Material, settings: LengthFilter) -> dict[str, str]:  # noqa: ARG001
    """Returns the triplets whose query has too few or too many words."""
    reasons = {}
    for triplet in triplets:
        n_words = len(query_words(triplet.query))
        if n_words < settings.min_words:
            reasons[triplet.id] = f"{n_words} words, at least {settings.min_words} wanted"
        elif n_words > settings.max_words:
            reasons[triplet.id] = f"{n_words} words, at most {settings.max_words} wanted"
    return reasons


def by_names(triplets: Sequence[Triplet], material: Material, settings: NameFilter) -> dict[str, str]:  # noqa: ARG001
    """Returns the triplets whose query spells the last part of a dotted name that is their chunk's title."""
    reasons = {}
    for triplet in triplets:
        title = material.chunks[triplet.chunk_id].title
        identifier = title.rpartition(".")[2]
        if DOTTED_NAME.fullmatch(title) and re.search(rf"(?<!\w){re.escape(identifier)}(?!\w)", triplet.query, re.IGNORECASE):
            reasons[triplet.id] = f"spells '{identifier}', the name of what answers it"
    return reasons


def by_duplicates(triplets: Sequence[Triplet], material: Material, settings: DuplicateFilter) -> dict[str, str]:  # noqa: ARG001
    """Returns the triplets that repeat an earlier query of their chunk, and those whose query too many chunks share.

    Near duplicates are looked for within a chunk only: queries of two chunks that differ in one word ("on Linux", "on
    Windows") are what teaches the model to tell the chunks apart. Each chunk's queries are compared with one another, so the
    work grows with the corpus and not with its square.
    """
    chunks_of = defaultdict[str, set[str]](set)
    for triplet in triplets:
        chunks_of[_subject(triplet.query)].add(triplet.chunk_id)
    reasons = {}
    by_chunk = defaultdict[str, list[Triplet]](list)
    for triplet in triplets:
        n_chunks = len(chunks_of[_subject(triplet.query)])
        if n_chunks > settings.max_chunks:
            reasons[triplet.id] = f"{n_chunks} chunks share this query, at most {settings.max_chunks} may"
        else:
            by_chunk[triplet.chunk_id].append(triplet)
    for own in by_chunk.values():
        reasons |= _repeats(own, settings.threshold)
    return reasons


def _repeats(triplets: Sequence[Triplet], threshold: float) -> dict[str, str]:
    """Returns the triplets of one chunk that are (nearly) an earlier one of them."""
    from rapidfuzz import fuzz

    reasons, seen, kept = dict[str, str](), dict[str, str](), list[tuple[str, str]]()
    for triplet in triplets:
        words = query_words(triplet.query)
        exact, ordered = " ".join(words), " ".join(sorted(words))
        if exact in seen:
            reasons[triplet.id] = f"the same query as '{seen[exact]}'"
            continue
        score, query = max(((fuzz.ratio(ordered, other) / 100, query) for other, query in kept), default=(0.0, ""))
        if score >= threshold:
            reasons[triplet.id] = f"similarity {score:.2f} to '{query}', less than {threshold:g} wanted"
            continue
        seen[exact] = triplet.query
        kept.append((ordered, triplet.query))
    return reasons


def by_copies(triplets: Sequence[Triplet], material: Material, settings: CopyFilter) -> dict[str, str]:
    """Returns the triplets whose query is, for the most part, one unbroken run of its chunk's words."""
    texts = dict[str, str]()
    reasons = {}
    for triplet in triplets:
        if triplet.chunk_id not in texts:
            texts[triplet.chunk_id] = f" {normalise_query(material.chunks[triplet.chunk_id].text)} "
        words = query_words(triplet.query)
        shortest = max(settings.min_words, int(len(words) * settings.max_share) + 1)
        run = _longest_run(words, texts[triplet.chunk_id], shortest)
        if run:
            share, limit = run / len(words), settings.max_share
            reasons[triplet.id] = f"{share:.0%} of it ({run} words) is one run of the chunk's words, at most {limit:.0%} may be"
    return reasons


def _longest_run(words: Sequence[str], text: str, shortest: int) -> int:
    """Returns the length of the longest run of `words` in `text` (words between spaces), 0 when shorter than `shortest`."""
    for length in range(len(words), shortest - 1, -1):
        if any(f" {' '.join(words[start : start + length])} " in text for start in range(len(words) - length + 1)):
            return length
    return 0


def by_round_trip(triplets: Sequence[Triplet], material: Material, settings: RoundTripFilter) -> dict[str, str]:
    """Returns the triplets whose query does not find its own chunk among the first `top_k`."""
    if not triplets:
        return {}
    ranks = material.make_ranker().ranks([t.query for t in triplets], [t.chunk_id for t in triplets])
    material.round_trip_ranks.update({triplet.id: rank for triplet, rank in zip(triplets, ranks, strict=True)})
    return {
        triplet.id: f"own chunk at rank {rank}, within {settings.top_k} wanted"
        for triplet, rank in zip(triplets, ranks, strict=True)
        if rank > settings.top_k
    }
