"""Results of two models beside each other: in the terminal, and as a page."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from itertools import zip_longest

from markupsafe import Markup

from finetrieve.app.search import BASE, TRAINED, SearchComparison
from finetrieve.core.html import element, one_line
from finetrieve.core.rows import Chunk
from finetrieve.retrieval.search import Hit

_NARROW = 80
_WIDEST = 160
_SNIPPET = 240
_HEADING_MARKS = re.compile(r"^#{1,6}\s+", re.MULTILINE)
_STYLE = Markup(
    "<style>:root{color-scheme:light dark;--line:#8884;--accent:#2f6fce;--soft:#8889}body{font:16px/1.5 system-ui,sans-serif;"
    "max-width:76rem;margin:0 auto;padding:1.2rem}h1{font-size:1.25rem;margin:0 0 .8rem}form{display:flex;gap:.5rem}"
    "input{flex:1;font:inherit;padding:.55rem .8rem;border:1px solid var(--line);border-radius:6px;min-width:0}"
    "button{font:inherit;padding:.55rem 1.1rem;border:0;border-radius:6px;background:var(--accent);color:#fff;cursor:pointer}"
    ".note{opacity:.75;font-size:.9rem}.sides{display:grid;grid-template-columns:1fr 1fr;gap:1.5rem;margin-top:1rem}"
    "h2{font-size:1rem;margin:.2rem 0 0}h2+p{margin:.1rem 0 .6rem}ol{list-style:none;margin:0;padding:0}"
    "li{border-top:1px solid var(--line);padding:.6rem 0}"
    ".place{font-weight:600;overflow-wrap:anywhere}.rank{display:inline-block;min-width:1.6rem;color:var(--accent)}"
    ".facts{font-size:.82rem;opacity:.75;font-variant-numeric:tabular-nums}.moved{color:var(--accent);font-weight:600}"
    ".text{margin:.15rem 0;overflow-wrap:anywhere}.error{color:#c0392b}"
    "@media(max-width:46rem){.sides{grid-template-columns:1fr}}</style>"
)


def format_terminal(comparison: SearchComparison, question: str, answers: Mapping[str, Sequence[Hit]], width: int) -> str:
    """Returns the answers for a terminal of so many columns: beside each other, or below each other where it is narrow."""
    width = min(width, _WIDEST)
    heading = "\n".join(line for line in (f"? {one_line(question, 500)}", comparison.note) if line)
    if width < _NARROW:
        blocks = ["\n".join(_column(comparison, side, answers, width)) for side in (TRAINED, BASE)]
        return "\n\n".join([heading, *blocks])
    half = (width - 3) // 2
    columns = [_column(comparison, side, answers, half) for side in (TRAINED, BASE)]
    rows = [f"{left:{half}} | {right}".rstrip() for left, right in zip_longest(*columns, fillvalue="")]
    return "\n".join([heading, "", *rows])


def _column(comparison: SearchComparison, side: str, answers: Mapping[str, Sequence[Hit]], width: int) -> list[str]:
    lines = [one_line(comparison.names[side], width), one_line(comparison.methods.get(side, ""), width), "-" * width]
    for hit in answers[side]:
        place = textwrap.wrap(f"{hit.rank}. {_place(hit.chunk)}", width, subsequent_indent="   ")[:2]
        snippet = textwrap.wrap(_snippet(hit.chunk), width - 3)[:2]
        facts = textwrap.wrap(f"{_facts(hit)}{_elsewhere(hit, side, answers)}", width - 3)
        lines += [*place, *(f"   {line}" for line in (*facts, *snippet)), ""]
    return lines


def _place(chunk: Chunk) -> str:
    return one_line(" > ".join(part for part in (chunk.title, chunk.section) if part) or chunk.source, 160)


def _snippet(chunk: Chunk) -> str:
    return one_line(_HEADING_MARKS.sub("", chunk.text), _SNIPPET)


def _facts(hit: Hit) -> str:
    late = "" if hit.late is None else f"late {hit.late:.2f}, "
    return f"score {hit.score:.2f} (cosine {hit.cosine:.2f}, {late}BM25 {hit.bm25:.1f})"


def _elsewhere(hit: Hit, side: str, answers: Mapping[str, Sequence[Hit]]) -> str:
    """Returns the rank that the other side gives the chunk, where it is another one."""
    other = BASE if side == TRAINED else TRAINED
    rank = next((found.rank for found in answers[other] if found.chunk.id == hit.chunk.id), None)
    if rank == hit.rank:
        return ""
    return f"; {'base' if other == BASE else 'trained'}: {f'rank {rank}' if rank else f'below {len(answers[other])}'}"


def render_page(comparison: SearchComparison, question: str, answers: Mapping[str, Sequence[Hit]] | None, error: str = "") -> str:
    """Returns a page with the form and, where there are any, the answers; every word is escaped and nothing is a script."""
    field = element(
        "input", name="q", value=one_line(question, 1_000), placeholder="how do I ...?", maxlength=1_000, autofocus=""
    )
    parts = [element("h1", "Ask the documents"), element("form", field, element("button", "Ask"), action="/", method="get")]
    if comparison.note:
        parts.append(element("p", comparison.note, class_="note"))
    if error:
        parts.append(element("p", error, class_="error"))
    if answers:
        sides = [_side(comparison, side, answers) for side in (TRAINED, BASE)]
        parts.append(element("div", *sides, class_="sides"))
    searched = f"{len(comparison.corpus):,} passages. A score compares within one column only."
    parts.append(element("p", searched, class_="note"))
    title = element("title", "Ask the documents")
    viewport = Markup('<meta name="viewport" content="width=device-width">')
    head = Markup("<!doctype html><html lang=en><meta charset=utf-8>") + viewport + title + _STYLE
    return str(head + Markup("").join(parts))


def _side(comparison: SearchComparison, side: str, answers: Mapping[str, Sequence[Hit]]) -> Markup:
    hits = [_hit(hit, side, answers) for hit in answers[side]]
    heading = element("h2", one_line(comparison.names[side], 120))
    return element(
        "section", heading, element("p", comparison.methods.get(side, ""), class_="note"), element("ol", *hits), id=side
    )


def _hit(hit: Hit, side: str, answers: Mapping[str, Sequence[Hit]]) -> Markup:
    rank = element("span", str(hit.rank), class_="rank")
    moved = element("span", _elsewhere(hit, side, answers), class_="moved")
    return element(
        "li",
        element("div", rank, _place(hit.chunk), class_="place"),
        element("div", _snippet(hit.chunk), class_="text", dir="auto"),
        element("div", _facts(hit), moved, class_="facts"),
    )
