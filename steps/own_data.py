"""Steps that bring pairs and queries of one's own to the chunks of the documents."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa
from zenml import step

from finetrieve.core.corpus import Corpus
from finetrieve.core.logging import get_logger
from finetrieve.core.numbers import counted
from finetrieve.core.own_data_report import PairsReport, QueriesReport
from finetrieve.core.rows import Chunk, GeneratedQuery, LabelledPair, RankedChunk, Reject
from finetrieve.core.tables import to_rows, to_table
from finetrieve.generation.generation_state import response_cache_directory
from finetrieve.generation.settings import GenerationSettings
from finetrieve.own_data.label_queries import label_own_queries
from finetrieve.own_data.load import load_own_pairs
from finetrieve.own_data.settings import PairSettings, QuerySettings
from steps.caching import cache_policy

logger = get_logger(__name__)


@step(cache_policy=cache_policy(__file__, "load_pairs"))
def load_pairs(
    chunks: pa.Table,
    documents: pa.Table,
    duplicates: pa.Table,
    sets: list[PairSettings],
    pair_fingerprints: list[str],  # noqa: ARG001 (part of the cache key)
    base_model: str,
    base_model_fingerprint: str,  # noqa: ARG001 (part of the cache key)
) -> tuple[
    Annotated[pa.Table, "labelled_pairs"],
    Annotated[pa.Table, "free_texts"],
    Annotated[pa.Table, "unmatched_pairs"],
    Annotated[PairsReport, "pairs_report"],
]:
    """Returns the pairs of one's own with their chunks, texts that are no chunks, what was not matched, and the counts."""
    found = load_own_pairs(sets, Corpus(chunks, documents, duplicates), base_model)
    for name, counts in found.report.sets.items():
        how = ", ".join(f"{kind} {number:,}" for kind, number in counts.matched.items())
        logger.info(
            f"{name}: {counted(counts.pairs, 'pair')} of {counted(counts.queries, 'query', 'queries')} ({how or 'none matched'})"
        )
        if counts.unmatched:
            first = f": {counts.examples[0].reason}" if counts.examples else ""
            lost = counted(counts.unmatched, "answer matches", "answers match"), "is" if counts.unmatched == 1 else "are"
            logger.warning(f"{name}: {lost[0]} no chunk and {lost[1]} left out{first}")
        if left_out := sum(counts.personal_data.values()):
            logger.warning(f"{name}: {counted(left_out, 'pair')} left out for personal data")
    return (
        to_table(found.pairs, LabelledPair),
        to_table(found.free_texts, Chunk),
        to_table(found.unmatched, Reject),
        found.report,
    )


@step(cache_policy=cache_policy(__file__, "label_queries"))
def label_queries(
    chunks: pa.Table,
    documents: pa.Table,
    duplicates: pa.Table,
    generated: pa.Table,
    sets: list[QuerySettings],
    query_fingerprints: list[str],  # noqa: ARG001 (part of the cache key)
    base_model: str,
    base_model_fingerprint: str,  # noqa: ARG001 (part of the cache key)
    reranker: str | None = None,
    reranker_fingerprint: str = "",  # noqa: ARG001 (part of the cache key)
    answers: str | None = None,
) -> tuple[
    Annotated[pa.Table, "pseudo_labels"],
    Annotated[pa.Table, "clicked_pairs"],
    Annotated[QueriesReport, "queries_report"],
]:
    """Returns what a teacher finds for queries without answers, what was clicked, and how generated queries differ from them."""
    corpus = Corpus(chunks, documents, duplicates)
    responses = response_cache_directory(GenerationSettings(answers=answers))
    found = label_own_queries(sets, corpus, to_rows(generated, GeneratedQuery), base_model, reranker, responses)
    for name, counts in found.report.sets.items():
        queries_read = counted(counts.queries, "query", "queries")
        logger.info(f"{name}: {queries_read}, {counts.clicked:,} with a click, {counts.sure:,} labelled surely")
        if left_out := sum(counts.personal_data.values()):
            logger.warning(f"{name}: {counted(left_out, 'row')} left out for personal data")
        if counts.grades is not None:
            logger.info(f"{name}: {counts.grades.graded:,} graded by an LLM, {counts.grades.unanswered:,} that nothing answers")
            if fallbacks := ", ".join(f"{kind} {number:,}" for kind, number in counts.grades.fallbacks.items()):
                logger.warning(f"{name}: labelled without an LLM's grades: {fallbacks}")
    return to_table(found.lists, RankedChunk), to_table(found.clicked, LabelledPair), found.report
