"""The history of a model's versions as a page: ZenML's own pages for models are not in its open-source server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from finetrieve.core.html import one_line
from finetrieve.core.numbers import counted, known
from finetrieve.evaluation.formats import arm_name, points, points_span, score, span
from finetrieve.reporting.pages import render_page

if TYPE_CHECKING:
    from finetrieve.registry.versions import Version

SHOWN = 50


def history_page(model: str, versions: Sequence[Version]) -> str:
    """Returns a page without scripts: one row per version, the newest first, every word escaped."""
    note = "Bars run from 0 to 1. Versions that were measured on other questions or documents do not compare."
    if len(versions) > SHOWN:
        note += f" The newest {SHOWN} of {len(versions)} versions."
    rows = [_row(version) for version in versions[:SHOWN]]
    return render_page("model_history.html.j2", model=one_line(model, 80), note=note, rows=rows)


def _row(version: Version) -> dict[str, Any]:
    record = version.record
    bar = [record.get(name) for name in ("ndcg_at_10", "ndcg_at_10_low", "ndcg_at_10_high")]
    asked = f"{counted(record['eval_queries'], 'question')} of '{record['eval_set']}'" if record.get("eval_queries") else ""
    return {
        "number": version.number,
        "stage": version.stage,
        "trained": f"{version.created:%Y-%m-%d %H:%M} UTC",
        "corpus": one_line(record.get("corpus", ""), 16),
        "documents": f"{counted(record['documents'], 'document')}" if known(record.get("documents")) else "",
        "measured": score(bar[0]),
        "interval": span(bar[1], bar[2]),
        "bar": bar if all(known(value) for value in bar) else [],
        "asked": one_line(asked, 60),
        "searched": one_line(arm_name(str(record["arm"])), 60) if record.get("arm") else "",
        "why": version.why,
        "change": _change(record.get("decision", {})),
    }


def _change(decision: Mapping[str, Any]) -> str:
    """Returns the difference that the decision rests on; nothing where it is not known."""
    change = points(decision.get("delta")) if known(decision.get("delta")) else ""
    return f"{change} points, {points_span(decision.get('low'), decision.get('high'))}" if change else ""
