"""The step that writes the report and the metrics file."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
from zenml import step

from finetrieve.core.rows import Chunk, Reject, Triplet
from finetrieve.core.tables import to_rows
from finetrieve.evaluation.verdict import AUTO, verdict
from finetrieve.reporting.report import render_report
from steps.caching import cache_policy, library_versions
from steps.materializers import HtmlMaterializer, JsonMaterializer

_SAMPLES = 20
_EXPECTED = 2


@step(
    cache_policy=cache_policy(__file__),
    output_materializers={"report": HtmlMaterializer, "metrics": JsonMaterializer},
)
def build_report(
    scores: dict[str, Any],
    evaluation_details: dict[str, Any],
    corpus_report: dict[str, Any],
    chunks: pa.Table,
    configuration: str,
    seed: int,
    training_record: dict[str, Any] | None = None,
    generation_report: dict[str, Any] | None = None,
    curation_report: dict[str, Any] | None = None,
    split_report: dict[str, Any] | None = None,
    queries: pa.Table | None = None,
    rejected_queries: pa.Table | None = None,
    annotation_report: dict[str, Any] | None = None,
    review_effect: dict[str, Any] | None = None,
    headline_arm: str = AUTO,
) -> tuple[Annotated[str, "report"], Annotated[dict[str, Any], "metrics"]]:
    """Returns the self-contained HTML report and the content of `metrics.json`."""
    metrics = {
        **scores,
        "verdict": verdict(scores["eval_sets"], headline_arm, (training_record or {}).get("guard")),
        "training": training_record or {},
        "generation": {**(generation_report or {}), "filters": curation_report or {}, "split": split_report or {}},
        "corpus": corpus_report,
        **_review(annotation_report, split_report, review_effect),
    }
    details = {
        "changes": _changes(evaluation_details["examples"]),
        "similarities": evaluation_details["similarities"],
        "samples": _samples(queries, chunks) if queries is not None else [],
        "rejects": _rejects(rejected_queries) if rejected_queries is not None else [],
        "provenance": {"seed": seed, "documents": corpus_report["fingerprint"], "libraries": library_versions()},
        "config_yaml": configuration,
    }
    return render_report(metrics, details), metrics


def _review(report: dict[str, Any] | None, split_report: dict[str, Any] | None, effect: dict[str, Any] | None) -> dict[str, Any]:
    """Returns `annotation` of the metrics, where people reviewed."""
    if report is None:
        return {}
    used = (split_report or {}).get("review") or {}
    return {"annotation": {**report, "used": used, **({"effect": effect} if effect else {})}}


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
    rows = to_rows(_spread(queries), Triplet)
    return [{"query": row.query, "style": row.style, **_place(chunk)} for row in rows if (chunk := by_id.get(row.chunk_id))]


def _rejects(rejected: pa.Table) -> list[dict[str, str]]:
    return [{"filter": row.filter, "query": row.query, "reason": row.reason} for row in to_rows(_spread(rejected), Reject)]


def _spread(table: pa.Table) -> pa.Table:
    step = max(1, table.num_rows // _SAMPLES)
    return table.take(pa.array(range(0, table.num_rows, step), pa.int64())[:_SAMPLES])
