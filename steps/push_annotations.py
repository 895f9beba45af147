"""The step that sends the queries to Argilla."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
from zenml import step

from finetrieve.annotation.client import find_workspace
from finetrieve.annotation.dataset import ensure_dataset
from finetrieve.annotation.enrichment import vectors_by_id
from finetrieve.annotation.open_server import dataset_url, open_server
from finetrieve.annotation.push import push
from finetrieve.annotation.records import make_records
from finetrieve.annotation.settings import AnnotationSettings
from finetrieve.core.progress import reporter, say
from finetrieve.core.rows import Chunk, QueryFacts, Triplet
from finetrieve.core.tables import to_rows
from steps.materializers import JsonMaterializer


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
) -> Annotated[dict[str, Any], "push_report"]:
    """Returns what was added, updated, left and withdrawn, and where people find it."""
    annotation = AnnotationSettings.model_validate(settings)
    of_chunk = {chunk.id: chunk for chunk in to_rows(chunks, Chunk)}
    of_query = {triplet.id: triplet for triplet in to_rows(queries, Triplet)}
    wanted = to_rows(query_facts, QueryFacts)[: annotation.max_records]
    records = make_records(wanted, of_query, of_chunk, vectors_by_id(chunk_vectors), vectors_by_id(query_vectors))
    with open_server(annotation) as server:
        workspace = find_workspace(server)
        dimensions = chunk_vectors.column("vector").type.list_size
        described = ensure_dataset(server, workspace, dataset, dimensions, annotation.min_submitted)
        report = push(server, described, records, of_query.keys(), of_chunk.keys(), reporter)
        url = dataset_url(server, described)
    say(
        f"{report.added:,} added, {report.updated:,} updated, {report.unchanged:,} unchanged, "
        f"{report.withdrawn_chunk_gone + report.withdrawn_query_gone:,} withdrawn; review them at {url}"
    )
    return {"dataset": dataset, "url": url, "records": len(records), **report.as_dict()}
