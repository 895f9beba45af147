"""Rows to Arrow tables and back: the form in which rows cross from step to step."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable
from typing import Any, TypeVar

import pyarrow as pa

Row = TypeVar("Row")

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
    """Returns the table's rows as `row_type` objects, in the table's order."""
    names = [field.name for field in dataclasses.fields(row_type)]  # type: ignore[arg-type]
    columns = [table.column(name).to_pylist() for name in names]
    return [row_type(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]
