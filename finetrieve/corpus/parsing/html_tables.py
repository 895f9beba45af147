"""HTML tables as Markdown tables; those that only lay a page out, as the blocks that are in them."""

from __future__ import annotations

from typing import Protocol

from lxml.html import HtmlElement

from finetrieve.corpus.parsing.markdown import table_of

MAX_SPAN = 50
"""Rows that a cell reaches over at most; a page may claim any number."""
LAYOUT = ("h1", "h2", "h3", "h4", "h5", "h6", "table")


class ElementWriter(Protocol):
    """Writes the elements that are in a table as Markdown."""

    def blocks(self, element: HtmlElement, depth: int = 0) -> list[str]:
        """Returns the blocks inside an element."""
        ...

    def line(self, element: HtmlElement) -> str:
        """Returns what is in an element as one line."""
        ...


def table_to_markdown(table: HtmlElement, writer: ElementWriter, depth: int) -> list[str]:
    """Returns a table as blocks: its caption, then a Markdown table, or the blocks of a table that only lays out."""
    rows = list(_rows(table))
    caption = [line for child in table if child.tag == "caption" and (line := writer.line(child))]
    if not rows:
        return [*caption, *writer.blocks(table, depth)]
    if _lays_out(table, rows):
        cells = [cell for row in rows for cell in _cells(row)]
        return [*caption, *(block for cell in cells for block in writer.blocks(cell, depth))]
    grid = _grid(rows, writer)
    return [*caption, table_of(grid)] if any(grid) else caption


def _rows(table: HtmlElement) -> list[HtmlElement]:
    return [row for row in table.iter("tr") if next(row.iterancestors("table")) is table]


def _cells(row: HtmlElement) -> list[HtmlElement]:
    return [cell for cell in row if cell.tag in ("td", "th")]


def _lays_out(table: HtmlElement, rows: list[HtmlElement]) -> bool:
    """Whether a table holds parts of a page: headings, tables, code of many lines, or one column without a head."""
    if table.get("role") in ("presentation", "none") or any(True for _ in table.iterdescendants(*LAYOUT)):
        return True
    if any("\n" in "".join(pre.itertext()).strip() for pre in table.iter("pre")):
        return True
    widths = {len(_cells(row)) for row in rows}
    return widths <= {0, 1} and next(table.iter("th"), None) is None


def _grid(rows: list[HtmlElement], writer: ElementWriter) -> list[list[str]]:
    """Returns the texts of the cells; one that reaches over several rows stands in each of them."""
    grid: list[list[str]] = []
    carried: dict[int, tuple[str, int]] = {}
    for row in rows:
        texts: list[str] = []
        for cell in _cells(row):
            _take_carried(texts, carried)
            text = writer.line(cell).replace("|", "\\|")
            height, width = _span(cell, "rowspan"), _span(cell, "colspan")
            if height > 1:
                carried[len(texts)] = (text, height - 1)
            texts += [text, *[""] * (width - 1)]
        _take_carried(texts, carried)
        if any(texts):
            grid.append(texts)
    return grid


def _take_carried(texts: list[str], carried: dict[int, tuple[str, int]]) -> None:
    while len(texts) in carried:
        text, left = carried.pop(len(texts))
        if left > 1:
            carried[len(texts)] = (text, left - 1)
        texts.append(text)


def _span(cell: HtmlElement, name: str) -> int:
    given = cell.get(name) or "1"
    return min(int(given), MAX_SPAN) if given.isdecimal() and len(given) < 6 and int(given) else 1
