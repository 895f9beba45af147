"""AsciiDoc tables as HTML: cells, spans, headers, and tables in the form of CSV."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

CELL = r"(?:(\d+)?(?:\.(\d+))?([*+]))?([<^>]?(?:\.[<^>])?)([a-demshlv])?(?<!\\)"
MAX_REPEATS = 50


@dataclass(slots=True)
class Cell:
    """A cell as it is written."""

    text: str
    columns: int = 1
    rows: int = 1
    style: str = ""
    line: int = 0
    """On which line of the table it begins."""


def table_html(
    lines: list[str], options: str, separator: str, cell_html: Callable[[Cell], str], unsaid: Callable[[str], None]
) -> str:
    """Returns a table.

    Args:
        lines: What stands between the marks of the table.
        options: The attributes in brackets above it.
        separator: What parts cells: a bar, a comma, a colon or an exclamation mark.
        cell_html: Writes what is in a cell.
        unsaid: Notes marks that are no words of the table.
    """
    form = re.search(r"format=\"?(\w+)", options)
    delimited = separator in ",:" or (form is not None and form[1] in ("csv", "tsv", "dsv"))
    if delimited:
        mark = {"tsv": "\t", "dsv": ":"}.get(form[1], ",") if form else separator
        rows = [[Cell(text) for text in row] for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=mark) if row]
    else:
        rows = _rows(list(_cells(lines, separator, unsaid)), lines, options)
    headed = (
        "header" in options or (not delimited and _is_headed(lines)) or (delimited and len(lines) > 1 and not lines[1].strip())
    )
    written = []
    for at, row in enumerate(rows):
        tag = "th" if headed and at == 0 else "td"
        written.append("".join(f"<{tag}{_spans(cell)}>{cell_html(cell)}</{tag}>" for cell in row))
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in written) + "</table>"


def _cells(lines: list[str], separator: str, unsaid: Callable[[str], None]) -> Iterator[Cell]:
    text = "\n".join(lines)
    marks = list(re.finditer(CELL + re.escape(separator), text))
    line, counted = 0, 0
    for at, mark in enumerate(marks):
        end = _end(text, marks[at + 1]) if at + 1 < len(marks) else len(text)
        count, rows, kind, style = _spec(text, mark)
        unsaid(mark[0] if _is_spec(text, mark) else "")
        content = text[mark.end() : end].replace(f"\\{separator}", separator).strip()
        line, counted = line + text.count("\n", counted, mark.end()), mark.end()
        cell = Cell(content, 1, 1, style, line)
        if kind == "+":
            cell.columns, cell.rows = min(count, MAX_REPEATS), min(rows, MAX_REPEATS)
            yield cell
        else:
            yield from [cell] * (min(count, MAX_REPEATS) if kind == "*" else 1)


def _is_spec(text: str, mark: re.Match[str]) -> bool:
    """Whether what stands before the mark says how the cell is; without a blank before it it belongs to the cell before."""
    return mark.start() == 0 or text[mark.start() - 1].isspace()


def _end(text: str, mark: re.Match[str]) -> int:
    return mark.start() if _is_spec(text, mark) else mark.end() - 1


def _spec(text: str, mark: re.Match[str]) -> tuple[int, int, str, str]:
    if not _is_spec(text, mark):
        return 1, 1, "", ""
    return int(mark[1] or 1), int(mark[2] or 1), mark[3] or "", mark[5] or ""


def _rows(cells: list[Cell], lines: list[str], options: str) -> list[list[Cell]]:
    width = _columns(cells, lines, options)
    rows: list[list[Cell]] = []
    reaching: dict[int, int] = {}
    at = 0
    while at < len(cells):
        row: list[Cell] = []
        used = reaching.pop(len(rows), 0)
        while at < len(cells) and (used < width or not row):
            cell = cells[at]
            row.append(cell)
            used += cell.columns
            for below in range(1, cell.rows):
                reaching[len(rows) + below] = reaching.get(len(rows) + below, 0) + cell.columns
            at += 1
        rows.append(row)
    return rows


def _columns(cells: list[Cell], lines: list[str], options: str) -> int:
    """Returns how many columns a table has: by its `cols`, or by the cells of its first line."""
    given = re.search(r"cols=(?:\"([^\"]*)\"|([^,\s\]]+))", options)
    if given:
        value = (given[1] or given[2]).strip()
        return max(1, sum(int(m[1]) if (m := re.match(r"\s*(\d+)\*", part)) else 1 for part in re.split(r"[,;]", value)))
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    return max(1, sum(cell.columns for cell in cells if cell.line == first))


def _is_headed(lines: list[str]) -> bool:
    """Whether the first line stands alone: with no blank above it and one below."""
    return len(lines) > 2 and bool(lines[0].strip()) and not lines[1].strip()


def _spans(cell: Cell) -> str:
    spans = "".join(f' {name}="{n}"' for name, n in (("colspan", cell.columns), ("rowspan", cell.rows)) if n > 1)
    return html.escape(spans, quote=False)
