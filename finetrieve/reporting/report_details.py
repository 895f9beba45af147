"""What the report shows beside the metrics: single queries before and after, samples, rejects and where the run comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from finetrieve.core.annotation_report import AnnotationReport
from finetrieve.core.code_hash import library_versions
from finetrieve.core.curation_report import DroppedQuery
from finetrieve.core.record import Text
from finetrieve.core.rows import Chunk, GeneratedQuery, Reject
from finetrieve.core.split_report import SplitReport
from finetrieve.core.tables import to_rows
from finetrieve.corpus.report import CorpusReport
from finetrieve.evaluation.details import EvaluationDetails, QuotedChunk
from finetrieve.evaluation.result import ReviewEffect, ReviewResult

_SAMPLES = 20


class SampleQuery(QuotedChunk):
    """A generated query with the chunk that it asks about."""

    query: Text
    style: Text


class RejectedQuery(DroppedQuery):
    """A query that was dropped, by which filter and why."""

    filter: Text


class ReportDetails(EvaluationDetails):
    """What the report shows beside the metrics; what is empty is left out of it."""

    samples: Sequence[SampleQuery] = ()
    rejects: Sequence[RejectedQuery] = ()
    provenance: Mapping[Text, int | Text] = {}
    """Name -> base model, run, date, command, commit, seed, versions, fingerprints."""
    config_yaml: Text = ""
    """The whole configuration."""


def report_details(
    evaluation_details: EvaluationDetails,
    corpus_report: CorpusReport,
    chunks: pa.Table,
    queries: pa.Table | None,
    rejected_queries: pa.Table | None,
    configuration: str,
    seed: int,
    origin: Mapping[str, str],
) -> ReportDetails:
    """Returns what `render_report` shows beside the metrics; `origin` is the base model, and the run with what started it."""
    return ReportDetails(
        examples=evaluation_details.examples,
        similarities=evaluation_details.similarities,
        samples=_samples(queries, chunks) if queries is not None else [],
        rejects=_rejects(rejected_queries) if rejected_queries is not None else [],
        provenance={**origin, "seed": seed, "documents": corpus_report.fingerprint, "libraries": library_versions()},
        config_yaml=configuration,
    )


def review_metrics(report: AnnotationReport | None, split: SplitReport, effect: ReviewEffect | None) -> dict[str, ReviewResult]:
    """Returns `annotation` of the metrics, where people reviewed."""
    if report is None:
        return {}
    parts = {"used": split.review, **({"effect": effect} if effect else {})}
    return {"annotation": ReviewResult.model_validate({**report.as_json(), **parts})}


def _samples(queries: pa.Table, chunks: pa.Table) -> list[SampleQuery]:
    """Returns queries spread over the table, each with its chunk."""
    by_id = {chunk.id: chunk for chunk in to_rows(chunks, Chunk)}
    return [
        SampleQuery(query=row.query, style=row.style, title=chunk.title, section=chunk.section, text=chunk.text)
        for row in to_rows(_spread(queries), GeneratedQuery)
        if (chunk := by_id.get(row.chunk_id))
    ]


def _rejects(rejected: pa.Table) -> list[RejectedQuery]:
    rows = to_rows(_spread(rejected), Reject)
    return [RejectedQuery(filter=row.filter, query=row.query, reason=row.reason) for row in rows]


def _spread(table: pa.Table) -> pa.Table:
    step = max(1, table.num_rows // _SAMPLES)
    return table.take(pa.array(range(0, table.num_rows, step), pa.int64())[:_SAMPLES])
