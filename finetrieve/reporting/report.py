"""The report: one HTML file that opens anywhere, offline and without scripts, the verdict first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import escape

from finetrieve.core.html import clean, element, one_line
from finetrieve.evaluation.result import EvaluationResult, SetResult
from finetrieve.reporting.pages import WORDS_LIMIT, render_page
from finetrieve.reporting.report_base_models import base_models_view
from finetrieve.reporting.report_details import ReportDetails
from finetrieve.reporting.report_making import corpus_view, filters_view, generation_view, guard_view, split_view, training_view
from finetrieve.reporting.report_own_data import own_pairs_view, own_queries_view
from finetrieve.reporting.report_queries import changes_view, similarities_view
from finetrieve.reporting.report_review import review_view
from finetrieve.reporting.report_scores import set_view, verdict_view

DECISION_PLACE = "<!-- decision -->"
"""Where `with_decision` writes: what becomes of a model is decided after its report was made."""
UNFOLDED = 2
"""Queries of each direction that stand open among those that changed most."""
_TITLES = {
    "base_models": ("base-models", "Base models"),
    "guard": ("guard", "General understanding"),
    "corpus": ("corpus", "Documents"),
    "generation": ("queries", "Queries"),
    "own_pairs": ("pairs", "Your own pairs"),
    "own_queries": ("own-queries", "Queries without answers"),
    "filters": ("filters", "Filters"),
    "review": ("review", "Review"),
    "split": ("split", "Split"),
    "similarities": ("vectors", "Vectors"),
    "training": ("training", "Training"),
    "changes": ("changes", "What changed"),
    "provenance": ("origin", "Where this comes from"),
}
"""Part -> the section's anchor, and its title in the list of contents."""
CONFIG_LIMIT = 40_000
"""Characters of the configuration that are shown."""


def render_report(metrics: EvaluationResult, details: ReportDetails) -> str:
    """Returns the report as one HTML page; what is missing from the arguments is left out of it.

    Every word that came from documents, queries, models, paths or settings is escaped and cut to a length; the page's size does
    not grow with the number of queries.
    """
    sets = metrics.ordered_sets()
    names = [name for name, _ in sets]
    parts = {
        "base_models": base_models_view(metrics.base_models),
        "guard": guard_view(metrics.training.guard),
        "corpus": corpus_view(metrics.corpus),
        "generation": generation_view(metrics.generation, details.samples),
        "own_pairs": own_pairs_view(metrics.pairs),
        "own_queries": own_queries_view(metrics.queries),
        "filters": filters_view(metrics.generation.filters, details.rejects),
        "review": review_view(metrics.annotation),
        "split": split_view(metrics.generation.split),
        "similarities": similarities_view(details.similarities, names),
        "training": training_view(metrics.training),
        "changes": changes_view(details.examples, names),
        "provenance": _provenance(details.provenance),
    }
    return render_page(
        "report.html.j2",
        verdict=verdict_view(metrics.verdict, sets[0][1] if sets else SetResult()),
        measured=one_line(names[0], 120) if names else "",
        eval_sets=[set_view(one_line(name, 120), found) for name, found in sets],
        **parts,
        contents=_contents(names, parts),
        unfolded=UNFOLDED,
        origin=_origin(details.provenance),
        config=escape(clean(details.config_yaml, CONFIG_LIMIT)),
    )


def _contents(names: Sequence[str], parts: Mapping[str, object]) -> list[dict[str, str]]:
    """Returns the sections that the page has, in its order, with the titles that a list of contents has room for."""
    sets = [{"id": f"set-{number}", "title": one_line(name, 40)} for number, name in enumerate(names, 1)]
    return [*sets, *({"id": anchor, "title": title} for part, (anchor, title) in _TITLES.items() if parts[part])]


def with_decision(report: str, version: str, stage: str, why: str) -> str:
    """Returns the report with what became of the model in its opening."""
    name = element("b", f"{one_line(version, 120)} → {one_line(stage, 40)}.")
    return report.replace(DECISION_PLACE, str(element("p", name, f" {one_line(why, 1_000)}", class_="decision")), 1)


def _origin(provenance: Mapping[str, int | str]) -> str:
    """Returns in a line what was measured, when and by which run; nothing where that is not known."""
    known = {name: one_line(str(value), 160) for name, value in provenance.items()}
    words = {"base_model": "Base model {}", "started": "measured {}", "run": "by run {}", "commit": "of commit {}"}
    return ", ".join(text.format(known[name]) for name, text in words.items() if known.get(name))


def _provenance(provenance: Mapping[str, int | str]) -> list[dict[str, str]]:
    return [
        {
            "label": one_line(name.replace("_", " "), 60).capitalize().replace("Zenml", "ZenML"),
            "value": one_line(str(value), WORDS_LIMIT),
        }
        for name, value in provenance.items()
    ]
