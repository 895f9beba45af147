"""Which queries are trained on, which choose, and which are only reported: decided per document, for good."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from finetrieve.core.errors import InputError
from finetrieve.core.rows import ChunkPlace, GeneratedQuery, Pair
from finetrieve.core.split_report import SplitReport
from finetrieve.core.text import normalise_query
from finetrieve.training.settings import SplitSettings

TRAIN, DEV, TEST = "train", "dev", "test"
HUMAN = "human"
"""The provenance of queries that people added themselves."""


@dataclass(frozen=True)
class SplitResult:
    """The pairs with their sides, and what the split did."""

    pairs: list[Pair]
    report: SplitReport


def side_of(key: str, settings: SplitSettings) -> str:
    """Returns `train`, `dev` or `test` for a key: the same today and after the corpus has grown, whatever else it holds.

    The hash of the key, as a number from 0 to 1, falls into test's share, then dev's, then train's. Changing `dev` leaves
    the test documents where they are.
    """
    position = position_of(key)
    if position < settings.test:
        return TEST
    return DEV if position < settings.test + settings.dev else TRAIN


def position_of(key: str) -> float:
    """Returns a number from 0 to below 1, evenly spread over keys."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64


def split_pairs(
    triplets: Sequence[GeneratedQuery],
    chunks: Iterable[ChunkPlace],
    settings: SplitSettings,
    *,
    groups: Mapping[str, str],
    human_eval: bool = False,
    held_out_queries: Iterable[str] = (),
    provenance: Mapping[str, str] | None = None,
    same: Callable[[str], str] = normalise_query,
) -> SplitResult:
    """Returns the pairs of all triplets, split by document.

    With so few documents that dev or test would stay empty, chunks are split instead of documents; with so few chunks too,
    the chunks with the lowest hashes are taken. Both cost the promise that nothing of a held-out document is trained on, so
    the report names the unit.

    What people added themselves is trained on, and with it whatever else is asked about its document: so no question about that
    document is among those that judge.

    Args:
        triplets: Curated queries; each names one of `chunks`.
        chunks: The corpus; read several times.
        settings: The shares.
        groups: Document id -> key that near-duplicate documents share; a missing document stands for itself.
        human_eval: Whether people's questions judge the model: test's share is then trained on as well.
        held_out_queries: People's questions; no pair may ask one of them, however it is written.
        provenance: Query id -> where its query comes from; `generated` for those that are missing.
        same: Returns of each query what it has in common with those that ask the same.
    """
    doc_of = {chunk.id: chunk.doc_id for chunk in chunks}
    group_of = {chunk.id: groups.get(chunk.doc_id, chunk.doc_id) for chunk in chunks}
    held_out = {same(query) for query in held_out_queries}
    rows = [triplet for triplet in triplets if same(triplet.query) not in held_out]
    origin = provenance or {}
    own = {chunk_id for row in rows if origin.get(row.id) == HUMAN for chunk_id in row.chunk_ids}
    # A query that needs several chunks has a pair with each of them; below, all its pairs come to one side.
    answers = {row.id: [chunk_id for chunk_id in row.chunk_ids if chunk_id in doc_of] for row in rows}
    unit, side = _sides(sorted({chunk_id for row in rows for chunk_id in answers[row.id]}), own, group_of, settings)
    pairs = [
        Pair(row.query, chunk_id, side[chunk_id], origin.get(row.id, "generated"), row.style, row.negative_query)
        for row in rows
        for chunk_id in answers[row.id]
    ]
    if human_eval:
        pairs = [replace(pair, split=TRAIN) if pair.split == TEST else pair for pair in pairs]
    pairs, n_moved = _one_side_per_query(pairs, same)
    report = SplitReport(
        unit=unit,
        human_eval=human_eval,
        left_out_as_human_questions=len(triplets) - len(rows),
        moved_because_shared=n_moved,
        moved_for_own_queries=len({doc_of[chunk] for chunk in own if side_of(group_of[chunk], settings) != TRAIN}),
    )
    return SplitResult(pairs, report.model_copy(update=count_pairs(pairs, doc_of)))


def count_pairs(pairs: Sequence[Pair], document_of: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Returns what `SplitReport` counts of pairs, per side; `document_of` is of the chunks."""
    return {
        "pairs": _per_side((pair.split, index) for index, pair in enumerate(pairs)),
        "queries": _per_side((pair.split, normalise_query(pair.query)) for pair in pairs),
        "chunks": _per_side((pair.split, pair.chunk_id) for pair in pairs),
        "documents": _per_side((pair.split, document_of[pair.chunk_id]) for pair in pairs),
        **_by_provenance(pairs),
    }


def check_testable(report: SplitReport) -> None:
    """Checks before the training that there is something to evaluate the model on.

    Raises:
        InputError: No query is held out, and people asked no questions.
    """
    if report.human_eval or report.pairs[TEST] or not report.pairs[TRAIN]:
        return
    raise InputError(
        f"Nothing could say whether the model is better: all {report.pairs[TRAIN]:,} queries are trained on (passages: "
        f"{report.chunks[TRAIN]:,}, documents: {report.documents[TRAIN]:,}). Give more documents, or questions of people "
        "with --eval-set."
    )


def _sides(
    chunk_ids: Sequence[str], own: Collection[str], group_of: Mapping[str, str], settings: SplitSettings
) -> tuple[str, dict[str, str]]:
    """Returns the unit that was split, and the side of each chunk; `own` are the chunks that people added queries about."""
    own_groups = {group_of[chunk_id] for chunk_id in own}
    wanted = {TRAIN, *((DEV,) if settings.dev else ()), *((TEST,) if settings.test else ())}
    by_document = {
        chunk_id: TRAIN if group_of[chunk_id] in own_groups else side_of(group_of[chunk_id], settings) for chunk_id in chunk_ids
    }
    if wanted <= set(by_document.values()):
        return "document", by_document
    by_chunk = {chunk_id: TRAIN if chunk_id in own else side_of(chunk_id, settings) for chunk_id in chunk_ids}
    if wanted <= set(by_chunk.values()) or len(chunk_ids) < len(wanted):
        return "chunk", by_chunk if len(chunk_ids) >= len(wanted) else dict.fromkeys(chunk_ids, TRAIN)
    lowest = sorted(set(chunk_ids) - set(own), key=position_of)
    taken = dict(zip(lowest, sorted(wanted - {TRAIN}, reverse=True), strict=False))
    return "chunk, by rank", {chunk_id: taken.get(chunk_id, TRAIN) for chunk_id in chunk_ids}


def _one_side_per_query(pairs: Sequence[Pair], same: Callable[[str], str]) -> tuple[list[Pair], int]:
    """Returns the pairs with each query on one side, test before dev before train, and how many pairs changed sides.

    A query whose answers lie on two sides goes to the held-out one with all its answers: training must not see it, and the
    evaluation must not count one of its answers as wrong.
    """
    sides = defaultdict[str, set[str]](set)
    for pair in pairs:
        sides[same(pair.query)].add(pair.split)
    final = {query: next(side for side in (TEST, DEV, TRAIN) if side in found) for query, found in sides.items()}
    moved = [replace(pair, split=final[same(pair.query)]) for pair in pairs]
    return moved, sum(old.split != new.split for old, new in zip(pairs, moved, strict=True))


def _by_provenance(pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    """Returns `edited_pairs` and the like, where not all pairs are generated."""
    found = sorted({pair.provenance for pair in pairs} - {"generated"})
    names = ["generated", *found] if found else []
    return {
        f"{name}_pairs": _per_side((pair.split, index) for index, pair in enumerate(pairs) if pair.provenance == name)
        for name in names
    }


def _per_side(rows: Iterable[tuple[str, object]]) -> dict[str, int]:
    counts = Counter(side for side, _ in set(rows))
    return {side: counts[side] for side in (TRAIN, DEV, TEST)}
