"""The rows of JSONL, JSON, CSV, TSV and Parquet files, each with its place in words."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetrieve.core.errors import InputError
from finetrieve.corpus.parsing.encoding import SNIFFED_BYTES, binary_kind, decode

Row = dict[str, Any]


def table_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Yields each row of a table as a mapping, with its place in words: `corpus.jsonl, line 3`.

    Raises:
        InputError: The file is empty, unreadable or not what its ending says.
    """
    suffix = path.suffix.lower()
    try:
        if path.stat().st_size == 0:
            raise InputError(f"'{path}' is empty (0 bytes); expected a document a row.")
        if suffix in (".jsonl", ".ndjson"):
            yield from _jsonl_rows(path)
        elif suffix == ".json":
            yield from _json_rows(path)
        elif suffix in (".csv", ".tsv"):
            yield from _csv_rows(path)
        else:
            yield from parquet_rows(path)
    except OSError as error:
        raise InputError(f"Cannot read '{path}': {error.strerror or error}.") from None


def parquet_rows(path: Path) -> Iterator[tuple[str, Row]]:
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


def _jsonl_rows(path: Path) -> Iterator[tuple[str, Row]]:
    with path.open("rb") as file:
        _refuse_binary(path, file.read(SNIFFED_BYTES))
        file.seek(0)
        utf16 = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
        file.seek(0)
        lines: Iterator[bytes] = iter(decode(file.read()).encode().split(b"\n")) if utf16 else file
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            place = f"{path}, line {number}"
            row = _parse_line(line.removeprefix(b"\xef\xbb\xbf"), place)
            if not isinstance(row, dict):
                raise InputError(f"{place}: expected a JSON object, found {_quote(line)}.")
            yield f"{path.name}, line {number}", row


def _parse_line(line: bytes, place: str) -> Any:
    try:
        return json.loads(line)
    except UnicodeDecodeError:
        line = decode(line).encode()
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{place}: invalid JSON: {_problem(error)}; found {_quote(line)}.") from None
    try:
        return json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{place}: invalid JSON: {_problem(error)}; found {_quote(line)}.") from None


def _json_rows(path: Path) -> Iterator[tuple[str, Row]]:
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
        if not isinstance(row, dict):
            raise InputError(f"{path}, item {number}: expected a JSON object, found {_quote(json.dumps(row).encode())}.")
        yield f"{path.name}, item {number}", row


def _csv_rows(path: Path) -> Iterator[tuple[str, Row]]:
    data = path.read_bytes()
    _refuse_binary(path, data[:SNIFFED_BYTES])
    text = decode(data).removeprefix("\ufeff")
    csv.field_size_limit(2**31 - 1)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=_delimiter(path, text), strict=True)
    try:
        for row in reader:
            if None in row:
                n_fields = len(reader.fieldnames or [])
                raise InputError(f"{path}, line {reader.line_num}: more fields than the {n_fields} of the header.")
            yield f"{path.name}, line {reader.line_num}", {str(key).strip(): value for key, value in row.items()}
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: invalid CSV: {error}.") from None


def _delimiter(path: Path, text: str) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    header = text.split("\n", 1)[0]
    return max(",;\t|", key=header.count)


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
