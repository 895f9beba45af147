"""Pairs of one's own beside the generated queries: what is kept to evaluate on, the split without leaks, and the weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from finetrieve.core.rows import HELD_OUT, OWN, PSEUDO, ChunkPlace, GeneratedQuery, LabelledPair, Pair, RankedChunk
from finetrieve.core.text import normalise_query
from finetrieve.own_data.matching import FREE_TEXT
from finetrieve.own_data.pseudo_labels import GRADED_NO_ANSWER, lists_of_labels
from finetrieve.own_data.same_question import same_question_groups
from finetrieve.own_data.settings import PairSettings
from finetrieve.training.settings import SplitSettings
from finetrieve.training.split import TEST, TRAIN, SplitResult, count_pairs, position_of, side_of, split_pairs

_GENERATED = ""
"""In place of a set's name: all that is no pair of one's own."""


def split_with_own(
    triplets: Sequence[GeneratedQuery],
    own: Sequence[LabelledPair],
    sets: Sequence[PairSettings],
    chunks: Iterable[ChunkPlace],
    settings: SplitSettings,
    *,
    groups: Mapping[str, str],
    human_eval: bool,
    held_out_queries: Collection[str],
    provenance: Mapping[str, str],
    pseudo: Sequence[RankedChunk] = (),
    sure: Mapping[str, float] | None = None,
) -> tuple[SplitResult, list[RankedChunk]]:
    """Returns the pairs of generated queries and of one's own, split by document and by question; and lists to learn from.

    A question that asks nearly the same as one that is evaluated on, or chosen by, is not trained on.

    Args:
        triplets: Generated queries.
        own: Pairs of one's own; those with a score of 0 or less are no answers and left out here.
        sets: Their settings.
        chunks: The corpus; read several times.
        settings: The shares.
        groups: Document id -> key that near-duplicate documents share.
        human_eval: Whether there are other human evaluation sets.
        held_out_queries: The questions of these.
        provenance: Query id -> where a generated query comes from, where people changed it.
        pseudo: Lists of queries that a teacher labelled, each with its best chunk first.
        sure: Set -> share that the first chunk of such a list has to have for the two to be a training pair.
    """
    group_of = {chunk.id: groups.get(chunk.doc_id, chunk.doc_id) for chunk in chunks}
    answers = [pair for pair in own if pair.score > 0]
    # 1. What is kept to evaluate on.
    held_out = _held_out(answers, {item.label: item.evaluate for item in sets}, group_of)
    judging = {pair.id for pair in held_out}
    asked = [*held_out_queries, *(pair.query for pair in held_out)]
    form = same_question_groups([*asked, *(pair.query for pair in answers)])

    def same(query: str) -> str:
        key = normalise_query(query)
        return form.get(key, key)

    # 2. The rest, split as generated queries are; where both ask a chunk the same, the pair of one's own stays.
    found = [pair for pair in answers if pair.id not in judging and pair.matched != FREE_TEXT]
    known = {(pair.chunk_id, normalise_query(pair.query)) for pair in answers}
    generated = [row for row in triplets if (row.chunk_id, normalise_query(row.query)) not in known]
    result = split_pairs(
        [*generated, *map(_as_triplet, found)],
        chunks,
        settings,
        groups=groups,
        human_eval=human_eval or bool(held_out),
        held_out_queries=asked,
        provenance={**provenance, **dict.fromkeys((pair.id for pair in found), OWN)},
        same=same,
    )
    # 3. Texts that are no chunks can only be trained on.
    reserved = {same(query) for query in asked} | {same(pair.query) for pair in result.pairs if pair.split != TRAIN}
    free = [pair for pair in answers if pair.matched == FREE_TEXT and pair.id not in judging and same(pair.query) not in reserved]

    def is_free(query: str, first: str) -> bool:
        return same(query) not in reserved and _is_trained(first, result, group_of, settings)

    lists = _lists_of(pseudo, is_free)
    pairs = [*result.pairs, *(_pair(pair, TRAIN, OWN) for pair in free), *_sure_pairs(lists, sure or {})]
    # 4. The weights, among what is trained on.
    kept = _thin(pairs, {item.label: item.weight for item in sets if item.weight is not None})
    whole = [*kept, *(_pair(pair, TEST, HELD_OUT) for pair in held_out)]
    document_of = {chunk.id: chunk.doc_id for chunk in chunks} | {pair.chunk_id: pair.chunk_id for pair in free}
    trained = {pair.query for pair in kept if pair.provenance == OWN and pair.split == TRAIN}
    lists += lists_of_labels(pair for pair in own if pair.query in trained and pair.id not in judging)
    counts = {
        **count_pairs(whole, document_of),
        "left_out_by_weight": len(pairs) - len(kept),
        "ranking_lists": len({(ranked.source, ranked.query) for ranked in lists}),
    }
    return SplitResult(whole, result.report.model_copy(update=counts)), lists


def _lists_of(pseudo: Sequence[RankedChunk], wanted: Callable[[str, str], bool]) -> list[RankedChunk]:
    """Returns the lists whose query and first chunk are wanted."""
    first: dict[str, str] = {}
    for ranked in pseudo:
        first.setdefault(ranked.query, ranked.chunk_id)
    kept = {query for query, chunk_id in first.items() if wanted(query, chunk_id)}
    return [ranked for ranked in pseudo if ranked.query in kept]


def _sure_pairs(lists: Sequence[RankedChunk], sure: Mapping[str, float]) -> list[Pair]:
    """Returns the queries of lists with their first chunk, where it has the share of its set and answers the query."""
    first = {ranked.query: ranked for ranked in reversed(lists)}
    return [
        Pair(ranked.query, ranked.chunk_id, TRAIN, PSEUDO, ranked.source)
        for ranked in reversed(first.values())
        if ranked.labelled_by != GRADED_NO_ANSWER and ranked.target >= sure.get(ranked.source, 0.0)
    ]


def _is_trained(chunk_id: str, result: SplitResult, group_of: Mapping[str, str], settings: SplitSettings) -> bool:
    """Returns whether a chunk's document, or with few of them the chunk, is on the side that is trained on."""
    side = side_of(group_of[chunk_id] if result.report.unit == "document" else chunk_id, settings)
    return side == TRAIN or (side == TEST and result.report.human_eval)


def _held_out(answers: Sequence[LabelledPair], shares: Mapping[str, float], group_of: Mapping[str, str]) -> list[LabelledPair]:
    """Returns the pairs of the documents with the lowest hashes: the same ones today and after the corpus has grown."""
    held_out = list[LabelledPair]()
    for name, share in shares.items():
        own = [pair for pair in answers if pair.source == name and pair.matched != FREE_TEXT] if share else []
        place = {pair.chunk_id: position_of(f"evaluate\0{group_of[pair.chunk_id]}") for pair in own}
        least = min(place.values(), default=0.0)
        held_out += [pair for pair in own if place[pair.chunk_id] < share or place[pair.chunk_id] == least]
    return held_out


def _as_triplet(pair: LabelledPair) -> GeneratedQuery:
    return GeneratedQuery(pair.id, pair.chunk_id, pair.query, None, pair.source, OWN, OWN)


def _pair(pair: LabelledPair, side: str, provenance: str) -> Pair:
    return Pair(pair.query, pair.chunk_id, side, provenance, pair.source)


def _thin(pairs: Sequence[Pair], weights: Mapping[str, float]) -> list[Pair]:
    """Returns the pairs with so many training pairs of each weighted set, and of generated queries, as the weights allow.

    What has the fewest rows for its weight keeps all of them; of the others some are left out, by their hashes.
    """
    shares = {**weights, _GENERATED: 1.0} if weights else {}
    made = Counter(_set_of(pair) for pair in pairs if pair.split == TRAIN)
    shares = {name: weight for name, weight in shares.items() if made[name]}
    if len(shares) < 2:
        return list(pairs)
    unit = min(made[name] / weight for name, weight in shares.items())
    left_out = set[int]()
    for name, weight in shares.items():
        rows = [row for row, pair in enumerate(pairs) if pair.split == TRAIN and _set_of(pair) == name]
        rows.sort(key=lambda row: position_of(f"{pairs[row].query}\0{pairs[row].chunk_id}"))
        left_out.update(rows[max(1, round(unit * weight)) :])
    return [pair for row, pair in enumerate(pairs) if row not in left_out]


def _set_of(pair: Pair) -> str:
    return pair.style if pair.provenance == OWN else _GENERATED
