"""The report: one HTML file that opens anywhere, offline and without scripts, the verdict first."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import escape

from finetrieve.core.html import clean, one_line
from finetrieve.evaluation.result import EvaluationResult, SetResult
from finetrieve.reporting.pages import WORDS_LIMIT, render_page
from finetrieve.reporting.report_details import ReportDetails
from finetrieve.reporting.report_making import corpus_view, filters_view, generation_view, guard_view, split_view, training_view
from finetrieve.reporting.report_own_data import own_pairs_view, own_queries_view
from finetrieve.reporting.report_queries import changes_view, similarities_view
from finetrieve.reporting.report_review import review_view
from finetrieve.reporting.report_scores import set_view, verdict_view

CONFIG_LIMIT = 40_000
"""Characters of the configuration that are shown."""


def render_report(metrics: EvaluationResult, details: ReportDetails) -> str:
    """Returns the report as one HTML page; what is missing from the arguments is left out of it.

    Every word that came from documents, queries, models, paths or settings is escaped and cut to a length; the page's size does
    not grow with the number of queries.
    """
    sets = metrics.ordered_sets()
    names = [name for name, _ in sets]
    return render_page(
        "report.html.j2",
        verdict=verdict_view(metrics.verdict, sets[0][1] if sets else SetResult()),
        measured=one_line(names[0], 120) if names else "",
        eval_sets=[set_view(one_line(name, 120), found) for name, found in sets],
        corpus=corpus_view(metrics.corpus),
        generation=generation_view(metrics.generation, details.samples),
        own_pairs=own_pairs_view(metrics.pairs),
        own_queries=own_queries_view(metrics.queries),
        filters=filters_view(metrics.generation.filters, details.rejects),
        review=review_view(metrics.annotation),
        split=split_view(metrics.generation.split),
        similarities=similarities_view(details.similarities, names),
        training=training_view(metrics.training),
        guard=guard_view(metrics.training.guard),
        changes=changes_view(details.examples, names),
        provenance=_provenance(details.provenance),
        config=escape(clean(details.config_yaml, CONFIG_LIMIT)),
    )


def _provenance(provenance: Mapping[str, int | str]) -> list[dict[str, str]]:
    return [
        {"label": one_line(name.replace("_", " "), 60).capitalize(), "value": one_line(str(value), WORDS_LIMIT)}
        for name, value in provenance.items()
    ]
