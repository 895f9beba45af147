"""Rows to Arrow tables and back: the form in which rows cross from step to step."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import pyarrow as pa

Row = TypeVar("Row")

ROWS_AT_ONCE = 1024
"""Rows that are objects at the same time where a table is read or written row by row."""
_ARROW_TYPES: dict[object, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def schema_of(row_type: type) -> pa.Schema:
    """Returns the Arrow schema of a row dataclass; `X | None` fields are nullable, all others are not."""
    hints = typing.get_type_hints(row_type)
    return pa.schema([_field(field.name, hints[field.name]) for field in dataclasses.fields(row_type)])


def _field(name: str, hint: Any) -> pa.Field:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    [plain] = [option for option in options if option is not type(None)]
    return pa.field(name, _ARROW_TYPES[plain], nullable=type(None) in options)


def to_table(rows: Iterable[Any], row_type: type) -> pa.Table:
    """Returns a table with one column per field of `row_type`, in the rows' order."""
    rows = list(rows)
    schema = schema_of(row_type)
    columns = [pa.array([getattr(row, field.name) for row in rows], type=field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def to_rows(table: pa.Table, row_type: type[Row]) -> list[Row]:
    """Returns the table's rows as `row_type` objects, in the table's order; a column that it lacks has its default."""
    missing = dataclasses.MISSING
    fields = dataclasses.fields(row_type)  # type: ignore[arg-type]
    names = [field.name for field in fields if field.default is missing or field.name in table.column_names]
    columns = [table.column(name).to_pylist() for name in names]
    return [row_type(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]


class Rows(Generic[Row]):
    """The rows of a table as `row_type` objects, of which only a batch is in memory at a time; can be read again and again."""

    def __init__(self, table: pa.Table, row_type: type[Row]) -> None:
        self._table, self._row_type = table, row_type

    def __iter__(self) -> Iterator[Row]:
        """Yields the rows in the table's order."""
        for start in range(0, self._table.num_rows, ROWS_AT_ONCE):
            yield from to_rows(self._table.slice(start, ROWS_AT_ONCE), self._row_type)


class RowFile:
    """Rows that go to an Arrow file as they come, and are a memory-mapped table in the end.

    Args:
        path: The file; when it is deleted, its table stays until nobody holds it.
        row_type: Of the rows.
        batch_rows: Rows of a record batch, but for the last.
    """

    def __init__(self, path: Path, row_type: type, batch_rows: int = ROWS_AT_ONCE) -> None:
        self._path, self._row_type, self._batch_rows = path, row_type, batch_rows
        self._file = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._file, schema_of(row_type))
        self._waiting: list[Any] = []

    def extend(self, rows: Iterable[Any]) -> None:
        """Adds rows."""
        for row in rows:
            self._waiting.append(row)
            if len(self._waiting) == self._batch_rows:
                self._write()

    def _write(self) -> None:
        self._writer.write_table(to_table(self._waiting, self._row_type))
        self._waiting = []

    def close(self) -> None:
        """Ends the file."""
        if self._waiting:
            self._write()
        self._writer.close()
        self._file.close()

    def table(self) -> pa.Table:
        """Ends the file and returns what is in it."""
        self.close()
        return pa.ipc.open_file(pa.memory_map(str(self._path))).read_all()
