"""Results of two models beside each other: in the terminal, and as a page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import zip_longest

from finetrieve.app.search import BASE, TRAINED, SearchComparison
from finetrieve.core.html import ELLIPSIS, one_line
from finetrieve.core.rows import Chunk, heading_path
from finetrieve.core.snippet import marked, snippet
from finetrieve.reporting import pages
from finetrieve.retrieval.search import Hit

_NARROW = 80
_WIDEST = 160
_SNIPPET = 240
_SNIPPET_ON_PAGE = 420


def format_terminal(
    comparison: SearchComparison, question: str, answers: Mapping[str, Sequence[Hit]], width: int, *, pages: bool = False
) -> str:
    """Returns the answers for a terminal of so many columns: beside each other, or below each other where it is narrow.

    Args:
        comparison: What answers.
        question: What was asked.
        answers: Side -> what it found.
        width: Columns.
        pages: Whether they are whole pages, which the other side may show by another passage.
    """
    width = min(width, _WIDEST)
    heading = "\n".join(line for line in (f"? {one_line(question, 500)}", *_about(comparison, width)) if line)
    if width < _NARROW:
        blocks = ["\n".join(_column(comparison, side, answers, width, question, pages)) for side in (TRAINED, BASE)]
        return "\n\n".join([heading, *blocks])
    half = (width - 3) // 2
    columns = [_column(comparison, side, answers, half, question, pages) for side in (TRAINED, BASE)]
    rows = [f"{left:{half}} | {right}".rstrip() for left, right in zip_longest(*columns, fillvalue="")]
    return "\n".join([heading, "", *rows])


def _about(comparison: SearchComparison, width: int) -> list[str]:
    """Returns what answers, as lines: what was measured of it, and what else one should know."""
    return [line for text in (comparison.measured, comparison.note) for line in textwrap.wrap(one_line(text, 600), width)]


def _column(
    comparison: SearchComparison, side: str, answers: Mapping[str, Sequence[Hit]], width: int, question: str, pages: bool
) -> list[str]:
    lines = [one_line(comparison.names[side], width), one_line(comparison.methods.get(side, ""), width), "-" * width]
    for hit in answers[side]:
        place = textwrap.wrap(f"{hit.rank}. {_place(hit.chunk)}", width, subsequent_indent="   ")[:2]
        words = _words(hit.chunk.text, width - 3, question)
        facts = textwrap.wrap(f"{_facts(hit)}{_elsewhere(hit, side, answers, pages)}", width - 3)
        lines += [*place, *(f"   {line}" for line in (*facts, *words)), ""]
    return lines


def _words(text: str, width: int, question: str) -> list[str]:
    """Returns two lines of a text, from where the question's words stand; what is cut off ends on an ellipsis."""
    return textwrap.wrap(snippet(text, min(_SNIPPET, 2 * width), question), width, max_lines=2, placeholder=ELLIPSIS)


def _place(chunk: Chunk) -> str:
    return one_line(heading_path(chunk.title, chunk.section) or chunk.source, 160)


def _facts(hit: Hit) -> str:
    parts = [("cosine", hit.cosine, 2), ("late", hit.late, 2), ("BM25", hit.bm25, 1)]
    shown = ", ".join(f"{name} {value:.{decimals}f}" for name, value, decimals in parts if value is not None)
    return f"score {hit.score:.2f} ({shown})"


def _elsewhere(hit: Hit, side: str, answers: Mapping[str, Sequence[Hit]], pages: bool = False) -> str:
    """Returns the rank that the other side gives the chunk, or its page, where it is another one."""
    other = BASE if side == TRAINED else TRAINED
    ranks = {found.document if pages else found.chunk.id: found.rank for found in answers[other]}
    rank = ranks.get(hit.document if pages else hit.chunk.id)
    if rank == hit.rank:
        return ""
    return f"; {'base' if other == BASE else 'trained'}: {f'rank {rank}' if rank else f'below {len(answers[other])}'}"


def format_found(heading: str, question: str, found: Sequence[Hit], width: int) -> str:
    """Returns what an engine found for a terminal of so many columns."""
    width = min(width, _WIDEST)
    lines = [f"? {one_line(question, 500)}", one_line(heading, width), "-" * width]
    for hit in found:
        place = textwrap.wrap(f"{hit.rank}. {_place(hit.chunk)}", width, subsequent_indent="   ")[:2]
        words = _words(hit.chunk.text, max(20, width - 3), question)
        lines += [*place, *(f"   {line}" for line in (_facts(hit), *words)), ""]
    return "\n".join(lines)


def render_page(comparison: SearchComparison, question: str, answers: Mapping[str, Sequence[Hit]] | None, error: str = "") -> str:
    """Returns a page with the form and, where there are any, the answers; every word is escaped and nothing is a script."""
    found = answers or {TRAINED: [], BASE: []}
    columns = [
        {
            "side": side,
            "name": one_line(comparison.names[side], 120),
            "method": comparison.methods.get(side, ""),
            "hits": [_hit(hit, side, found, question) for hit in found[side]],
        }
        for side in (TRAINED, BASE)
    ]
    return pages.render_page(
        "search_page.html.j2",
        question=one_line(question, 1_000),
        corpus=one_line(comparison.name, 120),
        measured=one_line(comparison.measured, 600),
        comparison_note=comparison.note,
        error=error,
        columns=columns if answers else [],
        searched=f"{len(comparison.corpus):,} passages. A score compares within one column only.",
    )


def _hit(hit: Hit, side: str, answers: Mapping[str, Sequence[Hit]], question: str) -> dict[str, object]:
    source = one_line(hit.chunk.source, 300)
    return {
        "rank": hit.rank,
        "place": marked(_place(hit.chunk), question),
        "snippet": marked(snippet(hit.chunk.text, _SNIPPET_ON_PAGE, question), question),
        "source": source,
        "link": source if source.startswith(("https://", "http://")) else "",
        "facts": _facts(hit),
        "moved": _elsewhere(hit, side, answers),
    }
