"""Tables for notebooks: HTML where the notebook can show it, plain text elsewhere; every word is escaped."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from finetrieve.core.html import clean, element, one_line
from finetrieve.core.text_table import table_lines

CELL = 90
"""Characters of a cell in plain text."""
HTML_CELL = 300


class NotebookTable:
    """Rows and columns, as a notebook shows them."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.columns, self.rows = list(columns), [list(row) for row in rows]

    def __repr__(self) -> str:
        body = [[one_line(_written(cell), CELL) for cell in row] for row in self.rows]
        return "\n".join(table_lines([self.columns, *body]))

    def _repr_html_(self) -> str:
        head = element("tr", *(element("th", name, style="text-align:left") for name in self.columns))
        body = [element("tr", *(_cell(cell) for cell in row)) for row in self.rows]
        return str(element("table", head, *body))


def table(rows: Iterable[Any], columns: Sequence[str] | None = None, limit: int = 20) -> NotebookTable:
    """Returns a table of the first rows: `table(last_run()["chunks"], ["title", "text"])`.

    Args:
        rows: Mappings, or objects with fields.
        columns: Keys or fields; the first row's where none are given.
        limit: Rows at most.
    """
    shown = [_fields(row) for row in islice(rows, limit)]
    names = list(columns) if columns is not None else list(shown[0]) if shown else []
    return NotebookTable(names, [[row.get(name, "") for name in names] for row in shown])


def _fields(row: Any) -> dict[str, Any]:
    if isinstance(row, Mapping):
        return dict(row)
    if dataclasses.is_dataclass(row):
        return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    return {name: getattr(row, name) for name in type(row).model_fields}


def _cell(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return element("td", clean(_written(value), HTML_CELL), style=f"text-align:{'right' if number else 'left'}")


def _written(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else "" if value is None else str(value)
