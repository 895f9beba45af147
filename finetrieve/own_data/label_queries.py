"""All sets of queries without answers: what was clicked becomes pairs, the rest is labelled by the best teacher at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from finetrieve.core.corpus import Corpus
from finetrieve.core.own_data_report import QueriesReport, QueryDifferences, QuerySetReport
from finetrieve.core.progress import reporter
from finetrieve.core.rows import GeneratedQuery, LabelledPair, RankedChunk
from finetrieve.own_data.differences import differences
from finetrieve.own_data.matching import ChunkFinder, match_labels
from finetrieve.own_data.pair_rows import Label
from finetrieve.own_data.pseudo_labels import FUSED_TEACHER, GRADED_NO_ANSWER, Rerank, pseudo_label
from finetrieve.own_data.query_files import AskedQuery, read_queries
from finetrieve.own_data.settings import QuerySettings
from finetrieve.own_data.teacher import Teacher

Row = TypeVar("Row")
_COMPARED = 2_000
"""Queries of a kind that are compared with the other kind at most."""


@dataclass(frozen=True)
class LabelledQueries:
    """What the sets gave."""

    lists: list[RankedChunk]
    clicked: list[LabelledPair]
    report: QueriesReport


def label_own_queries(
    sets: Sequence[QuerySettings],
    corpus: Corpus,
    generated: Sequence[GeneratedQuery],
    base_model: str,
    reranker: str | None,
    responses: Path,
) -> LabelledQueries:
    """Returns the labels of all sets.

    Args:
        sets: Where the queries are.
        corpus: The documents.
        generated: Generated queries, which the real ones are compared with.
        base_model: The teacher's model.
        reranker: A cross-encoder that labels better, where there is one; sets with `grades` go without it.
        responses: Directory of the cache of an LLM's answers.

    Raises:
        InputError: A set or the cross-encoder cannot be read, or an LLM cannot be asked.
    """
    teacher, finder = Teacher(corpus, base_model), ChunkFinder(corpus)
    chunk_ids, texts = corpus.chunks.column("id").to_pylist(), list(corpus.texts())
    rerank = _reranking(reranker) if any(item.grades is None for item in sets) else None
    teachers = dict[str, None]()
    lists, clicked, reports = list[RankedChunk](), list[LabelledPair](), dict[str, QuerySetReport]()
    for item in sets:
        queries, counts = read_queries(item)
        matches = match_labels(_click_labels(queries, item.path), item.label, finder, chunk_ids, teacher.best_of, False)
        answered = {pair.query for pair in matches.pairs}
        asked = [query for query in queries if query.text not in answered]
        grades = None
        if item.grades is None:
            named = [query.text for query in asked]
            found = pseudo_label(named, item.label, teacher, chunk_ids, texts, item.list_length, rerank)
            teachers[FUSED_TEACHER if rerank is None else f"cross-encoder {reranker}"] = None
        else:
            from finetrieve.own_data.grades import label_by_grades  # reads distilabel

            labels = label_by_grades(asked, item, teacher, corpus, responses, reporter("Queries graded"))
            found, grades = labels.lists, labels.report
            teachers[f"grades that {grades.model} gives to the first {grades.depth} chunks of {FUSED_TEACHER}"] = None
        reports[item.label] = counts.model_copy(
            update={
                "clicked": len(answered),
                "unmatched_clicks": len(matches.unmatched),
                "sure": sum(
                    ranked.target >= item.sure and ranked.labelled_by != GRADED_NO_ANSWER for ranked in _first(found).values()
                ),
                **({"grades": grades} if grades else {}),
            }
        )
        lists += found
        clicked += matches.pairs
    real = {pair.query: pair.chunk_id for pair in clicked} | {query: ranked.chunk_id for query, ranked in _first(lists).items()}
    report = QueriesReport(
        sets=reports,
        teacher="; ".join(teachers),
        differences=_differences(list(real.items()), generated, dict(zip(chunk_ids, texts, strict=True)), teacher),
    )
    return LabelledQueries(lists, clicked, report)


def _click_labels(queries: Sequence[AskedQuery], path: str) -> list[Label]:
    return [
        Label(query.text, "", document, float(n), f"{path}, query '{query.text[:60]}'")
        for query in queries
        for document, n in query.clicks.items()
    ]


def _first(lists: Sequence[RankedChunk]) -> dict[str, RankedChunk]:
    """Returns query -> the first chunk of its list."""
    first: dict[str, RankedChunk] = {}
    for ranked in lists:
        first.setdefault(ranked.query, ranked)
    return first


def _reranking(reranker: str | None) -> Rerank | None:
    if reranker is None:
        return None
    from finetrieve.retrieval.reranker import load_reranker

    model = load_reranker(reranker, 64)
    return lambda query, texts: model.scores([(query, text) for text in texts]).tolist()


def _differences(
    real: Sequence[tuple[str, str]], generated: Sequence[GeneratedQuery], texts: dict[str, str], teacher: Teacher
) -> QueryDifferences:
    made = [(row.query, row.chunk_id) for row in _spread(generated)]
    real = _spread(real)
    vectors = teacher.embed([query for query, _ in real]), teacher.embed([query for query, _ in made])
    return differences(real, made, texts, *vectors)


def _spread(rows: Sequence[Row]) -> Sequence[Row]:
    return rows[:: max(1, -(-len(rows) // _COMPARED))]
