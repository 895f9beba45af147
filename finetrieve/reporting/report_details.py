"""What the report shows beside the metrics: single queries before and after, samples, rejects and where the run comes from."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from finetrieve.core.annotation_report import AnnotationReport
from finetrieve.core.code_hash import library_versions
from finetrieve.core.rows import Chunk, GeneratedQuery, Reject
from finetrieve.core.split_report import SplitReport
from finetrieve.core.tables import to_rows
from finetrieve.corpus.report import CorpusReport
from finetrieve.evaluation.result import ReviewEffect, ReviewResult

_SAMPLES = 20
_EXPECTED = 2


def report_details(
    evaluation_details: dict[str, Any],
    corpus_report: CorpusReport,
    chunks: pa.Table,
    queries: pa.Table | None,
    rejected_queries: pa.Table | None,
    configuration: str,
    seed: int,
) -> dict[str, Any]:
    """Returns what `render_report` shows beside the metrics."""
    return {
        "changes": _changes(evaluation_details["examples"]),
        "similarities": evaluation_details["similarities"],
        "samples": _samples(queries, chunks) if queries is not None else [],
        "rejects": _rejects(rejected_queries) if rejected_queries is not None else [],
        "provenance": {"seed": seed, "documents": corpus_report.fingerprint, "libraries": library_versions()},
        "config_yaml": configuration,
    }


def review_metrics(report: AnnotationReport | None, split: SplitReport, effect: ReviewEffect | None) -> dict[str, ReviewResult]:
    """Returns `annotation` of the metrics, where people reviewed."""
    if report is None:
        return {}
    parts = {"used": split.review, **({"effect": effect} if effect else {})}
    return {"annotation": ReviewResult.model_validate({**report.as_json(), **parts})}


def _changes(examples: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the queries that changed most, each with the chunks that answer it and those that both models found."""
    return [
        {
            "eval_set": eval_set,
            "query": row["query"],
            "before": row["base"]["ndcg@10"],
            "after": row["finetuned"]["ndcg@10"],
            "expected": row["expected"][:_EXPECTED],
            "base": row["base"]["found"],
            "finetuned": row["finetuned"]["found"],
        }
        for eval_set, changed in examples.items()
        for row in (*changed["better"], *changed["worse"])
    ]


def _place(chunk: Chunk) -> dict[str, str]:
    return {"title": chunk.title, "section": chunk.section, "text": chunk.text}


def _samples(queries: pa.Table, chunks: pa.Table) -> list[dict[str, str]]:
    """Returns queries spread over the table, each with its chunk."""
    by_id = {chunk.id: chunk for chunk in to_rows(chunks, Chunk)}
    rows = to_rows(_spread(queries), GeneratedQuery)
    return [{"query": row.query, "style": row.style, **_place(chunk)} for row in rows if (chunk := by_id.get(row.chunk_id))]


def _rejects(rejected: pa.Table) -> list[dict[str, str]]:
    return [{"filter": row.filter, "query": row.query, "reason": row.reason} for row in to_rows(_spread(rejected), Reject)]


def _spread(table: pa.Table) -> pa.Table:
    step = max(1, table.num_rows // _SAMPLES)
    return table.take(pa.array(range(0, table.num_rows, step), pa.int64())[:_SAMPLES])
