"""The history of a model's versions as a page: ZenML's own pages for models are not in its open-source server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from finetrieve.core.html import element, one_line
from finetrieve.evaluation.formats import arm_name, known, points, points_span, score, span

if TYPE_CHECKING:
    from finetrieve.registry.versions import Version

SHOWN = 50
_STYLE = Markup(
    "<style>:root{color-scheme:light dark}body{font:14px/1.45 system-ui,sans-serif;margin:1rem}"
    "h1{font-size:1.2rem;margin:.2rem 0}"
    "p{margin:.3rem 0 .8rem;opacity:.75}table{border-collapse:collapse}td,th{border-bottom:1px solid #8885;padding:.35rem .7rem;"
    "text-align:left;vertical-align:top;font-variant-numeric:tabular-nums}td.why{max-width:30rem}th{font-weight:600}"
    ".stage{border-radius:1em;padding:0 .6em;background:#8883}.production{background:#2a9d5c;color:#fff}"
    ".staging{background:#e9b949;color:#222}small{opacity:.7;display:block}svg{display:block;width:100%;max-width:44rem}"
    "rect.track{fill:#8883}line{stroke:#3b7dd8;stroke-width:3}circle{fill:#3b7dd8}</style>"
)
_COLUMNS = ("Version", "Stage", "Trained", "Corpus", "nDCG@10, 95% interval", "", "Why")


def history_page(model: str, versions: Sequence[Version]) -> str:
    """Returns a page without scripts: one row per version, the newest first, every word escaped."""
    head = element("tr", *(element("th", name) for name in _COLUMNS))
    rows = [element("tr", *_cells(version)) for version in versions[:SHOWN]]
    note = "Bars run from 0 to 1. Versions that were measured on other questions or documents do not compare."
    if len(versions) > SHOWN:
        note += f" The newest {SHOWN} of {len(versions)} versions."
    title = element("h1", f"Versions of {one_line(model, 80)}")
    return str(Markup("").join([Markup("<!doctype html><meta charset=utf-8>"), _STYLE, title, element("p", note)])) + str(
        element("table", head, *rows)
    )


def _cells(version: Version) -> list[Markup]:
    record = version.record
    measured = element(
        "td", score(record.get("ndcg_at_10")), _small(span(record.get("ndcg_at_10_low"), record.get("ndcg_at_10_high")))
    )
    asked = f"{record['eval_queries']:,} questions, {record['eval_set']}" if record.get("eval_queries") else ""
    searched = arm_name(str(record["arm"])) if record.get("arm") else ""
    corpus = f"{record['documents']:,} documents" if known(record.get("documents")) else ""
    return [
        element("td", str(version.number)),
        element("td", element("span", version.stage, class_=f"stage {version.stage}")),
        element("td", f"{version.created:%Y-%m-%d %H:%M}"),
        element("td", one_line(record.get("corpus", ""), 16), _small(corpus)),
        measured,
        element("td", _bar(record), _small(one_line(asked, 60)), _small(one_line(searched, 60))),
        element("td", *why_of(record), class_="why"),
    ]


def why_of(record: Mapping[str, Any]) -> tuple[object, ...]:
    """Returns the sentence of the decision and, small, the difference it rests on."""
    decision = record.get("decision") or {}
    change = points(decision.get("delta")) if known(decision.get("delta")) else ""
    numbers = f"{change} points, {points_span(decision.get('low'), decision.get('high'))}" if change else ""
    return one_line(decision.get("why", "Its run ended before the decision."), 600), _small(numbers)


def _small(text: str) -> Markup:
    return element("small", text) if text else Markup("")


def _bar(record: Mapping[str, Any]) -> Markup:
    """Returns the metric with its interval on a track from 0 to 1."""
    value, low, high = (record.get(name) for name in ("ndcg_at_10", "ndcg_at_10_low", "ndcg_at_10_high"))
    if not (known(value) and known(low) and known(high)):
        return Markup("")
    track = element("rect", class_="track", x=0, y=7, width=160, height=2)
    whisker = element("line", x1=160 * low, x2=160 * high, y1=8, y2=8)
    return element(
        "svg", track, whisker, element("circle", cx=160 * value, cy=8, r=4), viewBox="0 0 160 16", width=160, height=16
    )
