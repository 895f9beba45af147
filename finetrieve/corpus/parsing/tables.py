"""The rows of JSONL, JSON, CSV, TSV and Parquet files, each with its place; an unreadable line costs itself alone."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetrieve.core.errors import InputError
from finetrieve.corpus.parsing.encoding import SNIFFED_BYTES, binary_kind, decode

Row = dict[str, Any]
HEADER_CHARACTERS = 1 << 16


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that cannot be read, and why."""

    problem: str


PlacedRow = tuple[str, Row | UnreadableRow]
"""A row, or why it cannot be read, behind its place in words: `corpus.jsonl, line 3`."""


def readable_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Yields each row of a table, all of which have to be readable.

    Raises:
        InputError: As `table_rows`, and where a row cannot be read.
    """
    for place, row in table_rows(path):
        if isinstance(row, UnreadableRow):
            raise InputError(f"{place}: {row.problem}")
        yield place, row


def table_rows(path: Path) -> Iterator[PlacedRow]:
    """Yields each row of a table as a mapping; what is nested in it has dotted keys besides: `metadata.title`.

    Raises:
        InputError: The file is empty, unreadable or not what its ending says.
    """
    suffix = path.suffix.lower()
    try:
        if path.stat().st_size == 0:
            raise InputError(f"'{path}' is empty (0 bytes); expected at least one row.")
        rows: Iterator[PlacedRow]
        if suffix in (".jsonl", ".ndjson"):
            rows = _jsonl_rows(path)
        elif suffix == ".json":
            rows = _json_rows(path)
        elif suffix in (".csv", ".tsv"):
            rows = _csv_rows(path)
        else:
            rows = parquet_rows(path)
        for place, row in rows:
            yield place, _with_nested(row) if isinstance(row, dict) else row
    except OSError as error:
        raise InputError(f"Cannot read '{path}': {error.strerror or error}.") from None


def _with_nested(row: Row) -> Row:
    nested = {f"{key}.{name}": value for key, inner in row.items() if isinstance(inner, dict) for name, value in inner.items()}
    return {**nested, **row} if nested else row


def holds_rows(path: Path) -> bool:
    """Returns whether a JSON file holds a list of objects, rather than one object as `package.json` does."""
    try:
        next(_json_rows(path), None)
    except (InputError, OSError):
        return False
    return True


def parquet_rows(path: Path) -> Iterator[PlacedRow]:
    """Yields the rows of a Parquet file, in batches, so that it need not fit in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        number = 0
        for batch in pq.ParquetFile(path).iter_batches():
            for row in batch.to_pylist():
                number += 1
                yield f"{path.name}, row {number}", row
    except pa.ArrowException as error:
        raise InputError(f"'{path}' is no valid Parquet file: {str(error).splitlines()[0]}") from None


def _jsonl_rows(path: Path) -> Iterator[PlacedRow]:
    with path.open("rb") as file:
        _refuse_binary(path, file.read(SNIFFED_BYTES))
        file.seek(0)
        utf16 = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
        file.seek(0)
        lines: Iterator[bytes] = iter(decode(file.read()).encode().split(b"\n")) if utf16 else file
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield f"{path.name}, line {number}", _parse_line(line.removeprefix(b"\xef\xbb\xbf"))


def _parse_line(line: bytes) -> Row | UnreadableRow:
    try:
        try:
            row = json.loads(line)
        except UnicodeDecodeError:
            row = json.loads(decode(line))
    except (json.JSONDecodeError, RecursionError) as error:
        return UnreadableRow(f"invalid JSON: {_problem(error)}; found {_quote(line)}")
    return row if isinstance(row, dict) else UnreadableRow(f"expected a JSON object, found {_quote(line)}")


def _json_rows(path: Path) -> Iterator[PlacedRow]:
    data = path.read_bytes()
    _refuse_binary(path, data[:SNIFFED_BYTES])
    try:
        rows = json.loads(decode(data).removeprefix("\ufeff"))
    except (json.JSONDecodeError, RecursionError) as error:
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{path}{line}: invalid JSON: {_problem(error)}.") from None
    if isinstance(rows, dict):
        lists = [value for value in rows.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
        rows = lists[0] if len(lists) == 1 else rows
    if not isinstance(rows, list):
        raise InputError(f"{path}: expected a list of JSON objects, found {type(rows).__name__}.")
    for number, row in enumerate(rows, start=1):
        place = f"{path.name}, item {number}"
        if isinstance(row, dict):
            yield place, row
        else:
            yield place, UnreadableRow(f"expected a JSON object, found {_quote(json.dumps(row).encode())}")


def _csv_rows(path: Path) -> Iterator[PlacedRow]:
    data = path.read_bytes()
    _refuse_binary(path, data[:SNIFFED_BYTES])
    text = decode(data).removeprefix("\ufeff")
    csv.field_size_limit(2**31 - 1)
    records = _csv_records(list(io.StringIO(text, newline="")), _delimiter(path, text))
    names: list[str] | None = None
    for line, fields in records:
        place = f"{path.name}, line {line}"
        if isinstance(fields, UnreadableRow):
            yield place, fields
        elif names is None:
            names = [name.strip() for name in fields]
        elif len(fields) > len(names) and any(field.strip() for field in fields[len(names) :]):
            yield place, UnreadableRow(f"{len(fields)} fields, more fields than the {len(names)} of the header")
        else:
            yield place, dict(itertools.zip_longest(names, fields[: len(names)]))


def _csv_records(lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str] | UnreadableRow]]:
    """Yields the first line of each record and its fields; after a quote that nothing ends it goes on in the next line."""
    start = 0
    while start < len(lines):
        reader = csv.reader((lines[row] for row in range(start, len(lines))), delimiter=delimiter, strict=True)
        first = start
        try:
            for fields in reader:
                if fields:
                    yield first + 1, fields
                first = start + reader.line_num
            return
        except csv.Error as error:
            end = start + reader.line_num
            loose = next(csv.reader(lines[first:end], delimiter=delimiter), []) if end == first + 1 else []
            # `"quoted" and more` has an end; a quote without one would take in the rest of the file.
            closed = "unexpected end" not in str(error)
            yield (
                first + 1,
                loose if loose and closed else UnreadableRow(f"invalid CSV: {error}; found {_quote(lines[first].encode())}"),
            )
            start = first + 1


def _delimiter(path: Path, text: str) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    header = re.sub(r'"(?:[^"]|"")*"', "", text[:HEADER_CHARACTERS]).lstrip("\r\n").splitlines()
    return max(",;\t|", key=header[0].count) if header else ","


def _refuse_binary(path: Path, head: bytes) -> None:
    kind = binary_kind(head)
    if kind:
        raise InputError(f"'{path}' holds {kind} rather than text.")


def _problem(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return "nested too deeply"


def _quote(line: bytes, length: int = 60) -> str:
    text = line[: length * 4].decode("utf-8", errors="replace").strip()
    return repr(text if len(text) <= length else text[:length] + "...")
