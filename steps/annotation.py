"""Steps that hand queries to the people who review them in Argilla, and that bring their answers back."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
from zenml import step

from finetrieve.annotation.client import find_workspace
from finetrieve.annotation.connection import open_server
from finetrieve.annotation.dataset import dataset_url, ensure_dataset
from finetrieve.annotation.enrichment import enrich, vectors_by_id
from finetrieve.annotation.pull import pull
from finetrieve.annotation.push import push
from finetrieve.annotation.records import make_records
from finetrieve.annotation.settings import AnnotationSettings
from finetrieve.core.annotation_report import AnnotationReport, PushReport
from finetrieve.core.logging import get_logger
from finetrieve.core.progress import reporter
from finetrieve.core.rows import Annotation, Chunk, DocumentEntry, GeneratedQuery, QueryFacts
from finetrieve.core.tables import to_rows, to_table
from finetrieve.retrieval.vector_cache import CachedEmbedder
from finetrieve.training.settings import SplitSettings
from finetrieve.training.split import split_pairs
from steps.caching import cache_policy
from steps.materializers import JsonMaterializer, TableMaterializer

logger = get_logger(__name__)


@step(
    cache_policy=cache_policy(__file__, "enrich_queries"),
    output_materializers={
        "query_facts": TableMaterializer,
        "query_vectors": TableMaterializer,
        "chunk_vectors": TableMaterializer,
    },
)
def enrich_queries(
    queries: pa.Table,
    chunks: pa.Table,
    documents: pa.Table,
    split: dict[str, Any],
    human_eval: bool,
    base_model: str,
    base_model_fingerprint: str,  # noqa: ARG001 (part of the cache key)
) -> tuple[
    Annotated[pa.Table, "query_facts"],
    Annotated[pa.Table, "query_vectors"],
    Annotated[pa.Table, "chunk_vectors"],
]:
    """Returns similarities, sides and the order of review, and the vectors of queries and chunks."""
    encoder = CachedEmbedder(base_model, on_progress=reporter("Chunks encoded"))
    groups = {entry.doc_id: entry.group for entry in to_rows(documents, DocumentEntry)}
    triplets, rows = to_rows(queries, GeneratedQuery), to_rows(chunks, Chunk)
    pairs = split_pairs(triplets, rows, SplitSettings.model_validate(split), groups=groups, human_eval=human_eval).pairs
    found = enrich(triplets, rows, [pair.split for pair in pairs], encoder)
    return to_table(found.facts, QueryFacts), found.query_vectors, found.chunk_vectors


# Never from the cache: what is in Argilla is not ours to know without looking.
@step(enable_cache=False, output_materializers={"push_report": JsonMaterializer})
def push_annotations(
    queries: pa.Table,
    chunks: pa.Table,
    query_facts: pa.Table,
    query_vectors: pa.Table,
    chunk_vectors: pa.Table,
    settings: dict[str, Any],
    dataset: str,
) -> Annotated[PushReport, "push_report"]:
    """Returns what was added, updated, left and withdrawn, and where people find it."""
    annotation = AnnotationSettings.model_validate(settings)
    of_chunk = {chunk.id: chunk for chunk in to_rows(chunks, Chunk)}
    of_query = {triplet.id: triplet for triplet in to_rows(queries, GeneratedQuery)}
    wanted = to_rows(query_facts, QueryFacts)[: annotation.max_records]
    records = make_records(wanted, of_query, of_chunk, vectors_by_id(chunk_vectors), vectors_by_id(query_vectors))
    with open_server(annotation) as server:
        workspace = find_workspace(server)
        dimensions = chunk_vectors.column("vector").type.list_size
        described = ensure_dataset(server, workspace, dataset, dimensions, annotation.min_submitted)
        # A dataset that was not named is this corpus's own, however much of it changed.
        shared = annotation.dataset is not None and not annotation.withdraw_others
        documents = {chunk.doc_id for chunk in of_chunk.values()} if shared else None
        report = push(server, described, records, of_query.keys(), of_chunk.keys(), reporter, documents)
        url = dataset_url(server, described)
    logger.info(
        f"{report.added:,} added, {report.updated:,} updated, {report.unchanged:,} unchanged, "
        f"{report.withdrawn_chunk_gone + report.withdrawn_query_gone:,} withdrawn; review them at {url}"
    )
    return report.model_copy(update={"dataset": dataset, "url": url, "records": len(records)})


# Never from the cache, since only looking tells what people answered; equal answers leave what follows cached.
@step(
    enable_cache=False,
    output_materializers={"annotations": TableMaterializer, "annotation_report": JsonMaterializer},
)
def pull_annotations(
    chunks: pa.Table, settings: dict[str, Any], dataset: str
) -> tuple[Annotated[pa.Table, "annotations"], Annotated[AnnotationReport, "annotation_report"]]:
    """Returns the reconciled answers, and who reviewed how much with what outcome."""
    annotation = AnnotationSettings.model_validate(settings)
    with open_server(annotation) as server:
        found = pull(server, find_workspace(server), dataset, to_rows(chunks, Chunk), reporter)
    report = found.report
    outcomes = ", ".join(f"{count:,} {name}" for name, count in report.outcomes.items())
    reviewed = f"{report.reviewed:,} of {report.records:,} records reviewed"
    logger.info(f"{reviewed}{f' ({outcomes})' if outcomes else ''}, {report.human_queries:,} queries of people's own")
    return to_table(found.annotations, Annotation), report
