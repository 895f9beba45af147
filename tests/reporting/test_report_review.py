from __future__ import annotations

import json
from typing import Any

from finetrieve.evaluation.result import EvaluationResult, ReviewResult
from finetrieve.reporting.report import render_report
from finetrieve.reporting.report_details import ReportDetails
from finetrieve.reporting.report_review import SHOWN, review_view

HOSTILE = "<script>alert('x')</script>"

REVIEW: dict[str, Any] = {
    "dataset": "docs",
    "records": 200,
    "reviewed": 50,
    "outcomes": {"confirmed": 30, "edited": 15, "rejected": 5},
    "human_queries": 7,
    "annotators": [
        {"name": "annotator-3f9a01", "answers": 50, "outcomes": {"confirmed": 30, "edited": 15, "rejected": 5, "human": 7}}
    ],
    "agreement": {"records": 4, "pairwise": 0.75, "alpha": 0.5333},
    "edits": [{"place": "The pump\npump.md", "before": "how do I reach the pump", "after": HOSTILE}] * 40,
    "rejected": [],
    "own": [{"query": HOSTILE}],
    "disagreements": [{"query": "q", "answers": [{"annotator": "a", "outcome": "edited", "query": HOSTILE}]}],
    "disagreements_in_all": 1,
    "chunk_changed": 2,
    "chunk_gone": 1,
    "used": {"rows": {"generated": 150, "edited": 15}, "left_out": {"rejected": 5}},
}


def test_a_review_is_told_with_its_numbers() -> None:
    view = review_view(ReviewResult.read(REVIEW))
    assert view is not None
    assert [(fact["label"], fact["value"], fact["detail"]) for fact in view["facts"]] == [
        ("Reviewed", "50", "25% of 200"),
        ("People", "1", ""),
        ("Queries of their own", "7", ""),
    ]
    assert view["people"] == [{"name": "annotator-3f9a01", "answers": "50", "cells": ["30", "15", "5", "0", "7"]}]
    assert "75%" in view["agreement"] and "alpha 0.53" in view["agreement"] and "1 record they differ" in view["agreement"]
    assert view["notes"][:2] == ["Used: 150 generated, 15 edited.", "Left out: 5 rejected."]
    assert any("2 answered records was changed" in note for note in view["notes"])
    assert any("annotation.compare: true" in note for note in view["notes"])


def test_a_review_is_written_as_it_was_read() -> None:
    assert json.dumps(ReviewResult.read(REVIEW).as_json()) == json.dumps(REVIEW)


def test_what_people_wrote_is_shown_and_never_run_and_the_page_stays_small() -> None:
    page = render_report(EvaluationResult.read({"annotation": REVIEW}), ReportDetails())
    assert "<script>alert" not in page and page.count("&lt;script&gt;alert") == SHOWN + 2
    assert "What people made of the queries" in page


def test_the_effect_names_both_models_and_colours_only_what_is_clear() -> None:
    row = {"eval_set": "questions", "arm": "finetuned", "metric": "ndcg@10", "value": 0.6, "value_against": 0.5, "delta": 0.1}
    rows = [
        {**row, "low": 0.02, "high": 0.18},
        {**row, "low": -0.02, "high": 0.22},
        {**row, "metric": "mrr@10", "low": 0, "high": 1},
    ]
    view = review_view(ReviewResult.read({**REVIEW, "effect": {"rows": rows}}))
    assert view is not None
    assert [(found["without"], found["with"], found["delta"], found["class"]) for found in view["effect"]] == [
        ("0.500", "0.600", "+10.0", "up"),
        ("0.500", "0.600", "+10.0", "open"),
    ]


def test_no_review_has_no_section() -> None:
    assert review_view(ReviewResult()) is None
    assert "What people made" not in render_report(EvaluationResult(), ReportDetails())
    assert review_view(ReviewResult(dataset="docs", records=10, reviewed=0)) is not None
