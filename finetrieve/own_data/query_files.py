"""Queries without labels, and search logs: a query a line, or a table with how often it was asked and what was clicked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetrieve.core.code_hash import plugin_hash
from finetrieve.core.errors import InputError, did_you_mean
from finetrieve.core.numbers import counted
from finetrieve.core.own_data_report import QuerySetReport
from finetrieve.core.paths import refuse_special_file
from finetrieve.core.text import normalise_query, query_words
from finetrieve.corpus.parsing.encoding import SNIFFED_BYTES, binary_kind, decode
from finetrieve.corpus.parsing.tables import readable_rows
from finetrieve.corpus.sources.table_files import TABLE_SUFFIXES, files_fingerprint
from finetrieve.generation.llm.response_cache import failed_runs, scope_of
from finetrieve.own_data.personal_data import personal_data_in
from finetrieve.own_data.settings import QuerySettings

COLUMNS = {
    "query_column": ("query", "question", "search_query", "search_term", "keyword", "q"),
    "count_column": ("count", "n", "frequency", "searches", "hits", "clicks", "impressions"),
    "clicked_column": ("clicked", "clicked_document", "clicked_doc", "click", "doc_id", "document", "page", "url"),
}


@dataclass(frozen=True)
class AskedQuery:
    """A query as people typed it, however often."""

    text: str
    """As it was written first."""
    count: int
    clicks: dict[str, int] = field(default_factory=dict)
    """Document -> how often it was clicked."""


def read_queries(settings: QuerySettings) -> tuple[list[AskedQuery], QuerySetReport]:
    """Returns the different queries of a set, and what was left out of it.

    Raises:
        InputError: The file cannot be read, a cell is wrong (with its line), or nothing is left.
    """
    path = Path(settings.path).expanduser()
    refuse_special_file(path)
    if not path.is_file():
        raise InputError(f"No such file of queries: '{settings.path}'. Give a text file with a query a line, or a table.")
    texts, asked, clicks = dict[str, str](), Counter[str](), dict[str, Counter[str]]()
    rows, personal = 0, Counter[str]()
    for text, count, clicked in _table(path, settings) if path.suffix.lower() in TABLE_SUFFIXES else _text_lines(path):
        rows += 1
        found = personal_data_in(text) if settings.personal_data == "leave_out" else None
        if found is not None:
            personal[found] += 1
        elif query_words(text):
            key = normalise_query(text)
            texts.setdefault(key, text)
            asked[key] += count
            if clicked:
                clicks.setdefault(key, Counter())[clicked] += count
    kept = [AskedQuery(texts[key], n, dict(clicks.get(key, {}))) for key, n in asked.items() if n >= settings.min_count]
    if not kept:
        n_personal = sum(personal.values())
        why = f"; {n_personal:,} {'was' if n_personal == 1 else 'were'} left out for personal data" if personal else ""
        read = counted(rows, "row")
        enough = f", none asked {settings.min_count} times or more" if settings.min_count > 1 else ""
        raise InputError(f"No queries in '{settings.path}': {read}{enough}{why}.")
    report = QuerySetReport(
        rows=rows,
        queries=len(kept),
        asked=sum(query.count for query in kept),
        rare=len(asked) - len(kept),
        personal_data=dict(personal),
    )
    return kept, report


def queries_fingerprint(settings: QuerySettings, responses: Path) -> str:
    """Returns what decides the labels of a set beside its settings: the file and, where an LLM grades, runs that left some out.

    Args:
        settings: Of the set.
        responses: Directory of the answer cache; it is not made.

    Raises:
        InputError: The file or the cache cannot be read.
    """
    file, grades = files_fingerprint([Path(settings.path).expanduser()]), settings.grades
    if grades is None:
        return file
    return f"{file}, failed {failed_runs(responses, scope_of([grades]))}{plugin_hash([grades.provider_class])}"


def _text_lines(path: Path) -> Iterator[tuple[str, int, str]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"Cannot read '{path}': {error.strerror}.") from None
    if kind := binary_kind(data[:SNIFFED_BYTES]):
        raise InputError(f"'{path}' is {kind}. Give a text file with a query a line, or one of: {', '.join(TABLE_SUFFIXES)}.")
    lines = decode(data).removeprefix("\ufeff").splitlines()
    yield from ((" ".join(line.split()), 1, "") for line in lines if line.strip())


def _table(path: Path, settings: QuerySettings) -> Iterator[tuple[str, int, str]]:
    columns: dict[str, str | None] | None = None
    for place, row in readable_rows(path):
        columns = columns or _find_columns(list(row), settings, place)
        text = row.get(str(columns["query_column"]))
        if text is None or text == "":
            continue  # logs have empty searches
        if not isinstance(text, str):
            raise InputError(f"{place}: '{columns['query_column']}' is {text!r}, expected text.")
        clicked = row.get(columns["clicked_column"]) if columns["clicked_column"] else None
        yield " ".join(text.split()), _count(row, columns["count_column"], place), str(clicked or "").strip()


def _find_columns(names: list[str], settings: QuerySettings, place: str) -> dict[str, str | None]:
    lowered = {name.lower(): name for name in reversed(names)}
    found: dict[str, str | None] = {}
    for key, usual in COLUMNS.items():
        named = getattr(settings, key)
        if named is not None and named not in names:
            raise InputError(
                f"{place}: no column '{named}' ({key}).{did_you_mean(named, names)} Columns seen: {', '.join(names)}."
            )
        found[key] = named or next((lowered[name] for name in usual if name in lowered), None)
    if found["query_column"] is None:
        looked = ", ".join(COLUMNS["query_column"])
        raise InputError(
            f"{place}: no column with a query: looked for {looked}. Name it with query_column. Columns seen: {', '.join(names)}."
        )
    return found


def _count(row: Mapping[str, Any], column: str | None, place: str) -> int:
    value = row.get(column) if column else None
    if value is None or value == "":
        return 1
    try:
        count = float(value)
        if count == int(count) and count >= 0:
            return int(count)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"{place}: '{column}' is {value!r}, expected a whole number.")
