"""Steps that hand queries to the people who review them in Argilla, and that bring their answers back."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa
from zenml import step

from finetrieve.annotation.client import find_workspace
from finetrieve.annotation.connection import open_server
from finetrieve.annotation.dataset import dataset_url, ensure_dataset
from finetrieve.annotation.enrichment import enrich
from finetrieve.annotation.pull import pull
from finetrieve.annotation.push import push
from finetrieve.annotation.records import records_of
from finetrieve.annotation.settings import AnnotationSettings
from finetrieve.core.annotation_report import AnnotationReport, PushReport
from finetrieve.core.corpus import Corpus
from finetrieve.core.logging import get_logger
from finetrieve.core.progress import reporter
from finetrieve.core.rows import Annotation, GeneratedQuery, QueryFacts
from finetrieve.core.tables import to_rows, to_table
from finetrieve.retrieval.vector_cache import CachedEmbedder
from finetrieve.training.settings import SplitSettings
from finetrieve.training.split import split_pairs
from steps.caching import cache_policy

logger = get_logger(__name__)


@step(cache_policy=cache_policy(__file__, "enrich_queries"))
def enrich_queries(
    queries: pa.Table,
    chunks: pa.Table,
    documents: pa.Table,
    split: SplitSettings,
    human_eval: bool,
    base_model: str,
    base_model_fingerprint: str,  # noqa: ARG001 (part of the cache key)
) -> tuple[Annotated[pa.Table, "query_facts"], Annotated[pa.Table, "query_vectors"], Annotated[pa.Table, "chunk_vectors"]]:
    """Returns similarities, sides and the order of review, and the vectors of queries and chunks."""
    corpus, rows = Corpus(chunks, documents), to_rows(queries, GeneratedQuery)
    groups = corpus.group_of_document
    pairs = split_pairs(rows, corpus.chunk_places(), split, groups=groups, human_eval=human_eval).pairs
    encoder = CachedEmbedder(base_model, on_progress=reporter("Chunks encoded"))
    found = enrich(rows, corpus.chunk_rows(), [pair.split for pair in pairs], encoder)
    return to_table(found.facts, QueryFacts), found.query_vectors, found.chunk_vectors


# Never from the cache: what is in Argilla is not ours to know without looking.
@step(enable_cache=False)
def push_annotations(
    queries: pa.Table,
    chunks: pa.Table,
    query_facts: pa.Table,
    query_vectors: pa.Table,
    chunk_vectors: pa.Table,
    settings: AnnotationSettings,
    dataset: str,
) -> Annotated[PushReport, "push_report"]:
    """Returns what was added, updated, left and withdrawn, and where people find it."""
    corpus = Corpus(chunks)
    records = records_of(queries, corpus, query_facts.slice(0, settings.max_records), query_vectors, chunk_vectors)
    with open_server(settings) as server:
        dimensions = chunk_vectors.column("vector").type.list_size
        described = ensure_dataset(server, find_workspace(server), dataset, dimensions, settings.min_submitted)
        # A dataset that was not named is this corpus's own, however much of it changed.
        shared = settings.dataset is not None and not settings.withdraw_others
        documents = set(chunks.column("doc_id").to_pylist()) if shared else None
        query_ids = set(queries.column("id").to_pylist())
        report = push(server, described, records, query_ids, corpus.row_of_chunk, reporter, documents)
        url = dataset_url(server, described)
    logger.info(
        f"{report.added:,} added, {report.updated:,} updated, {report.unchanged:,} unchanged, "
        f"{report.withdrawn_chunk_gone + report.withdrawn_query_gone:,} withdrawn; review them at {url}"
    )
    return report.model_copy(update={"dataset": dataset, "url": url, "records": len(records)})


# Never from the cache, since only looking tells what people answered; equal answers leave what follows cached.
@step(enable_cache=False)
def pull_annotations(
    chunks: pa.Table, settings: AnnotationSettings, dataset: str
) -> tuple[Annotated[pa.Table, "annotations"], Annotated[AnnotationReport, "annotation_report"]]:
    """Returns the reconciled answers, and who reviewed how much with what outcome."""
    with open_server(settings) as server:
        found = pull(server, find_workspace(server), dataset, Corpus(chunks).chunk_rows(), reporter)
    logger.info(found.report.summary)
    return to_table(found.annotations, Annotation), found.report
