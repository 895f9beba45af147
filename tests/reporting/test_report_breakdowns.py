"""Sections, traffic, questions without an answer and success@k in the report."""

from __future__ import annotations

import re
from typing import Any

from finetrieve.evaluation.result import EvaluationResult, SetResult
from finetrieve.reporting.report import render_report
from finetrieve.reporting.report_breakdowns import MOST_SECTIONS, breakdowns_view
from finetrieve.reporting.report_details import ReportDetails
from tests.evaluation.many_arms import many_arms


def broken_down(**more: Any) -> dict[str, Any]:
    made = many_arms()
    [name] = made["eval_sets"]
    found = made["eval_sets"][name]
    for table in found["arms"].values():
        table |= {f"success@{cut}": {"value": cut / 20, "low": 0.0, "high": 1.0} for cut in (1, 5, 10)}
    arms = {"bm25": 0.7, "base": 0.5, "fused_finetuned": 0.9, "late_finetuned": 0.6}
    found["sections"] = [{"name": "guide", "n_queries": 40, "arms": arms}, {"name": "<b>ref</b>", "n_queries": 9, "arms": arms}]
    found["weighted"] = {"base": {"value": 0.612, "low": 0.5, "high": 0.7}}
    found["no_answer"] = {"base": {"n_queries": 12, "threshold": 0.413, "kept": 0.9, "refused": 0.75, "auroc": 0.88}}
    found |= more
    return made


def set_of(made: dict[str, Any]) -> SetResult:
    return SetResult.model_validate(next(iter(made["eval_sets"].values())))


def test_the_report_folds_them_below_the_arms_and_escapes_names() -> None:
    page = render_report(EvaluationResult.model_validate(broken_down()), ReportDetails())
    folded = re.search(
        r"<details><summary>More figures: by section, by traffic, without an answer, success@k</summary>.*?</details>", page, re.S
    )
    assert folded is not None
    text = " ".join(re.sub(r"<[^>]+>", " ", folded.group()).split())
    assert "guide 40 0.700 0.500" in text and "12 questions that no page answers" in text
    assert "Base model 0.655 0.612" in text and "Base model 0.413 75% 90% 0.880" in text
    assert "&lt;b&gt;ref&lt;/b&gt;" in folded.group() and "<b>ref" not in page


def test_the_best_of_a_section_is_bold_and_the_arms_are_few() -> None:
    view = breakdowns_view(set_of(broken_down()))
    assert view is not None
    labels = [arm["label"] for arm in view["sections"]["arms"]]
    assert {"BM25", "Base model"} < set(labels) and len(labels) <= 4
    cells = view["sections"]["rows"][0]["cells"]
    assert [cell["value"] for cell in cells] == ["0.700", "0.500", "–", "0.900"]  # the best without training has no figure here
    assert [cell["value"] for cell in cells if cell["class"] == "best"] == ["0.900"]


def test_many_sections_are_cut_and_a_set_without_any_figure_has_no_fold() -> None:
    many = [{"name": f"s{n}", "n_queries": 5, "arms": {"base": 0.5}} for n in range(100)]
    view = breakdowns_view(set_of(broken_down(sections=many)))
    assert view is not None and len(view["sections"]["rows"]) == MOST_SECTIONS
    assert breakdowns_view(set_of(many_arms())) is None
    assert "More figures" not in render_report(EvaluationResult.model_validate(many_arms()), ReportDetails())
