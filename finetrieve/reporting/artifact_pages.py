"""What the dashboard shows of an artifact: counts as bars, a sample, numbers with their intervals, curves. No scripts run there.

Every word is escaped. The size of a page and the time it takes do not grow with the table.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from finetrieve.core.html import clean, element
from finetrieve.reporting.pages import render_page

SAMPLE_ROWS = 25
SHOWN_COUNTS = 6
"""Few, so that the sample begins where the dashboard cuts the page."""
CLIP = 400
"""Characters of a cell."""
_LOOKED_AT = 500
"""Rows that tell whether a column repeats its values."""
_MOST_DISTINCT = 0.6
"""Share of distinct values among them up to which counts say something."""
_LEAST_POINTS = 3
_WIDE = 24
"""Characters from which a cell gets a wide column, so that it is read in lines and not word by word."""
_HASH = re.compile(r"[0-9a-f]{12,}")
_WIDTH, _HEIGHT = 440, 120


# 1. Tables.


def table_page(table: pa.Table) -> str:
    """Returns a page: the number of rows, how often the values of repeating columns occur, and a sample spread over the rows.

    What all rows share is said once, above the sample; identifiers made of hash digits stand at its end.
    """
    rows = spread(table, SAMPLE_ROWS)
    looked_at = spread(table, _LOOKED_AT)
    shared = dict(_shared(table, looked_at)) if table.num_rows > 1 else {}
    counts = [_count_part(table, name) for name in _counted(looked_at, shared)]
    columns = sorted((name for name in table.column_names if name not in shared), key=lambda name: _is_identifier(rows, name))
    head = element("tr", *(element("th", name) for name in columns))
    body = [element("tr", *(_cell(row[name]) for name in columns)) for row in rows.to_pylist()]
    noun = "row" if table.num_rows == 1 else "rows"
    shown = f"{rows.num_rows} of them, spread over the table" if rows.num_rows < table.num_rows else "all of them"
    said = [element("p", "The same in every row: ", "; ".join(f"{name} {value}" for name, value in shared.items()))]
    parts = [element("h1", f"{table.num_rows:,} {noun}"), *(said if shared else []), element("div", *counts, class_="parts")]
    return _page(*parts, element("h2", f"A sample: {shown}"), element("table", head, *body))


def _shared(table: pa.Table, looked_at: pa.Table) -> Iterator[tuple[str, str]]:
    """Yields the columns of text that have one value in all rows, with it, and those of lists that are all empty."""
    for name in table.column_names:
        kind, column, seen = table.schema.field(name).type, table.column(name), looked_at.column(name).to_pylist()
        if kind == pa.string() and len(set(seen)) == 1 and pc.count_distinct(column, mode="all").as_py() == 1:
            yield name, _text(seen[0], 60) or "(none)"
        elif pa.types.is_list(kind) and not any(seen) and not pc.sum(pc.list_value_length(column)).as_py():
            yield name, "(none)"


def _counted(looked_at: pa.Table, shared: Collection[str]) -> list[str]:
    """Returns the columns to count: those that repeat their values, and of those that say the same of a row the first."""
    found: list[str] = []
    for name in _repeating(looked_at):
        values = looked_at.column(name).to_pylist()
        others = (looked_at.column(other).to_pylist() for other in found)
        same = any(len(set(zip(values, other, strict=True))) == len(set(values)) == len(set(other)) for other in others)
        if name not in shared and not same:
            found.append(name)
    return found


def _is_identifier(rows: pa.Table, name: str) -> bool:
    """Whether a column holds hash digits, which nobody reads."""
    values = rows.column(name).to_pylist() if rows.schema.field(name).type == pa.string() else []
    return bool(values) and all(value and _HASH.fullmatch(value) for value in values)


def spread(table: pa.Table, n_rows: int) -> pa.Table:
    """Returns at most so many rows, at equal distances."""
    step = max(1, table.num_rows // n_rows)
    # Not `take`: on a table in many pieces it copies all of them first.
    rows = [table.slice(row, 1) for row in range(0, table.num_rows, step)[:n_rows]]
    return pa.concat_tables(rows).combine_chunks() if rows else table


def _repeating(looked_at: pa.Table) -> Iterator[str]:
    """Yields the text columns that repeat their values: a section, a style, a filter, a side."""
    for name in looked_at.column_names:
        if looked_at.schema.field(name).type == pa.string() and looked_at.num_rows:
            values = looked_at.column(name).to_pylist()
            if any(values) and len(set(values)) <= max(1, _MOST_DISTINCT * len(values)) and not name.endswith(("_id", "query")):
                yield name


def _count_part(table: pa.Table, name: str) -> Markup:
    found = pc.value_counts(table.column(name))
    values, counts = found.field("values"), found.field("counts")
    order = pc.sort_indices(counts, sort_keys=[("", "descending")])[:SHOWN_COUNTS]
    shown = list(zip(values.take(order).to_pylist(), counts.take(order).to_pylist(), strict=True))
    rest = table.num_rows - sum(count for _, count in shown)
    if rest:
        shown.append((f"{len(found) - len(shown):,} others", rest))
    largest = max(count for _, count in shown)
    rows = [
        element("tr", element("td", _text(value, 60) or "(none)"), element("td", f"{count:,}", class_="n"), _bar(count / largest))
        for value, count in shown
    ]
    return element("div", element("h2", f"By {name.replace('_', ' ')}"), element("table", *rows, class_="bars"))


def _bar(share: float) -> Markup:
    return element("td", element("span", class_="bar", style=f"width:{max(2, round(140 * share))}px"))


# 2. Records.


def record_page(record: Mapping[str, Any]) -> str:
    """Returns a page of nested tables; numbers with an interval stand in one cell, and numbers by step are drawn."""
    return _page(_value(record))


def _value(value: Any) -> Markup:
    if isinstance(value, Mapping) and _is_interval(value):
        return element("span", _interval(value))
    if isinstance(value, Mapping) and _is_grid(list(value.values())):
        return _grid({str(key): row for key, row in value.items()})
    if isinstance(value, Mapping):
        return _alike(value) if _is_alike(value) else _sections(value)
    if _is_curve(value):
        return element("div", *_curves(value), class_="parts")
    if isinstance(value, list) and _is_grid(value):
        return Markup("").join([_grid({str(place): row for place, row in enumerate(value[:SAMPLE_ROWS], 1)}), _more(value)])
    if isinstance(value, list | tuple):
        lines = [element("div", _value(item)) for item in value[:SAMPLE_ROWS]]
        return Markup("").join([*lines, _more(value)])
    return element("span", _text(value))


def _sections(record: Mapping[str, Any]) -> Markup:
    """Returns what fits a cell as one table, and everything else below its name."""
    short = {key: item for key, item in record.items() if _fits(item) or item in ({}, [])}
    rows = [
        element("tr", element("th", _words(key)), _grid_cell("–" if item in ({}, []) else item)) for key, item in short.items()
    ]
    # The dashboard cuts what is long: what is read at a glance comes first.
    tables = _same_keys({key: item for key, item in record.items() if key not in short and _is_flat(item)})
    joined = {key for table in tables for key in table}
    others = sorted((key for key in record if key not in short and key not in joined), key=lambda key: not _is_flat(record[key]))
    long = [
        element("section", element("h2", _words(key)), element("div", _value(record[key]), class_="inside")) for key in others
    ]
    curves = [part for key, part in zip(others, long, strict=True) if _is_curve(record[key])]
    rest = [part for key, part in zip(others, long, strict=True) if not _is_curve(record[key])]
    grids = [_grid(table) for table in tables]
    return Markup("").join([*curves, element("table", *rows) if rows else Markup(""), *grids, *rest])


def _same_keys(record: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Mapping[str, Any]]]:
    """Returns the entries that have their keys in common with another one, together."""
    groups: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for name, item in record.items():
        groups.setdefault(tuple(item), {})[name] = item
    return [group for group in groups.values() if len(group) > 1]


def _is_alike(record: Mapping[str, Any]) -> bool:
    """Whether the entries are mappings with the same keys, some of which fit cells: each filter, each side."""
    rows = list(record.values())
    if len(rows) < 2 or not all(isinstance(row, Mapping) and row and list(row) == list(rows[0]) for row in rows):
        return False
    return len(_fitting(rows)) >= 2


def _fitting(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [key for key in rows[0] if all(_fits(row[key]) for row in rows)]


def _alike(record: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Returns what fits cells as one table, and below it the rest of each entry that has some."""
    columns = _fitting(list(record.values()))
    rest = {name: {key: item for key, item in row.items() if key not in columns and item} for name, row in record.items()}
    table = _grid({name: {key: row[key] for key in columns} for name, row in record.items()})
    return table + _sections({name: found for name, found in rest.items() if found})


def _is_flat(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_fits(item) for item in value.values())


def _more(values: Sequence[object]) -> Markup:
    left = len(values) - SAMPLE_ROWS
    return element("small", f"… {left:,} more") if left > 0 else Markup("")


def _is_interval(value: Mapping[str, Any]) -> bool:
    return set(value) == {"value", "low", "high"} and all(isinstance(item, int | float) for item in value.values())


def _interval(value: Mapping[str, Any]) -> str:
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


def _is_grid(rows: Sequence[Any]) -> bool:
    """Whether the rows are mappings with the same few keys, each of which fits a cell."""
    if len(rows) < 2 or not all(isinstance(row, Mapping) and row for row in rows):
        return False
    same = all(list(row) == list(rows[0]) for row in rows)
    return same and all(_fits(cell) for row in rows for cell in row.values())


def _fits(cell: Any) -> bool:
    return (isinstance(cell, Mapping) and _is_interval(cell)) or not isinstance(cell, Mapping | list | tuple)


def _grid(rows: Mapping[str, Mapping[str, Any]]) -> Markup:
    columns = list(next(iter(rows.values())))
    head = element("tr", element("th", ""), *(element("th", _words(name)) for name in columns))
    body = [element("tr", element("th", _words(name)), *(_grid_cell(row[key]) for key in columns)) for name, row in rows.items()]
    return element("table", head, *body)


def _grid_cell(value: Any) -> Markup:
    return element("td", _interval(value), class_="n") if isinstance(value, Mapping) else _cell(value)


def _is_curve(rows: Any) -> bool:
    """Whether these are rows of numbers by step, enough of them to draw."""
    if (
        not isinstance(rows, list)
        or len(rows) < _LEAST_POINTS
        or not all(isinstance(row, Mapping) and "step" in row for row in rows)
    ):
        return False
    return all(isinstance(item, int | float) and math.isfinite(item) for row in rows for item in row.values())


def _curves(rows: Sequence[Mapping[str, float]]) -> list[Markup]:
    return [_curve(rows, name) for name in rows[0] if name not in ("step", "epoch")]


def _curve(rows: Sequence[Mapping[str, float]], name: str) -> Markup:
    """Returns a picture of one number by step, with its range written at the sides."""
    steps, values = [row["step"] for row in rows], [row[name] for row in rows]
    low, high = min(values), max(values)
    first, last = steps[0], steps[-1]
    points = [
        (50 + (_WIDTH - 60) * (step - first) / ((last - first) or 1), 10 + (_HEIGHT - 35) * (high - value) / ((high - low) or 1))
        for step, value in zip(steps, values, strict=True)
    ]
    line = element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points))
    frame = element("path", d=f"M50 8V{_HEIGHT - 23}H{_WIDTH - 8}")
    labels = [
        element("text", f"{high:.3g}", x=4, y=16),
        element("text", f"{low:.3g}", x=4, y=_HEIGHT - 24),
        element("text", f"step {first:,}", x=50, y=_HEIGHT - 6),
        element("text", f"{last:,}", x=_WIDTH - 8, y=_HEIGHT - 6, text_anchor="end"),
    ]
    picture = element("svg", frame, line, *labels, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", width=_WIDTH, height=_HEIGHT)
    return element("div", element("h2", _words(name)), picture)


# 3. Words.


def _page(*parts: Markup) -> str:
    return render_page("artifact.html.j2", body=Markup("").join(parts))


def _cell(value: object) -> Markup:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    written = f"{value:,}" if isinstance(value, int) and is_number else _text(value)
    if is_number:
        return element("td", written, class_="n")
    return element("td", written, class_="wide") if len(written) > _WIDE else element("td", written)


def _words(name: object) -> str:
    return _text(str(name).replace("_", " "), 80)


def _text(value: object, limit: int = CLIP) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else clean(value, limit)
