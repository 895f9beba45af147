"""Tables with a document a row: JSONL, JSON, CSV, TSV and Parquet files, and BEIR corpora."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from finetrieve.core.errors import InputError
from finetrieve.core.paths import ConfigPath, refuse_special_file
from finetrieve.core.rows import Document, Skipped
from finetrieve.corpus.parsing.cleaning import clean_row, first_heading, readable_name
from finetrieve.corpus.parsing.prose import plain_words
from finetrieve.corpus.parsing.recurring import drop_recurring_endings
from finetrieve.corpus.parsing.removal import WordCount
from finetrieve.corpus.parsing.tables import Row, UnreadableRow, holds_rows, table_rows
from finetrieve.corpus.sources.base import SourceRead, TableSource
from finetrieve.corpus.sources.pages import counted
from finetrieve.corpus.word_count import count_words, word_total

TABLE_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
"""The files that the `files` source reads."""
BEIR_CORPUS = "corpus.jsonl"
CONTENT_ID = "row-"
"""In front of the id of a row that has none of its own, which is a hash of what it says."""
TEXT_COLUMNS = (
    "page_content", "text", "content", "body", "chunk", "passage", "document", "markdown", "contents", "article", "answer",
    "definition", "description",
)  # fmt: skip
TITLE_COLUMNS = ("title", "name", "heading", "page_title", "parent_section", "section", "question", "term")
URL_COLUMNS = ("url", "source", "link", "href", "uri", "filename", "path", "file", "source_url", "parent_section")
ID_COLUMNS = ("_id", "id", "doc_id", "document_id", "docid", "pid", "uuid")
MISSING_TEXTS = {"nan", "null", "none", "<na>", "n/a", "#n/a"}
MISSING_WORDS = {"nan", "<NA>"}
"""What tables that a program wrote have in an empty cell. `NULL` and `NaN` are texts that say nothing, but good titles."""
FEW_UNREADABLE = 3
"""Rows that may be unreadable in a short table, where at least twice as many can be read."""
HOPELESS = 100
"""Rows of which none could be read, after which the rest is not tried."""
REPEATED_TITLE_SHARE = 0.5
"""Of the rows with a title: when so many texts begin with it, the texts are a heading and what stands below."""


class FilesSource(TableSource):
    """A JSONL, JSON, CSV or Parquet file with a document a row, or a folder of them, such as a BEIR folder."""

    description: ClassVar[str] = "a JSONL, JSON, CSV or Parquet file with a document a row; a BEIR corpus"
    identity_keys: ClassVar[tuple[str, ...]] = ("path",)

    name: Literal["files"] = "files"
    path: ConfigPath = Field(min_length=1)
    """The file, or a folder of such files."""

    def reader(self) -> Files:
        """Returns what reads the documents."""
        return Files(self)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one table that are read."""

    text: tuple[str, ...]
    title: str | None
    url: str | None
    id: str | None


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as its columns hold it, before cleaning."""

    place: str
    """`corpus.jsonl, line 3`"""
    id: str
    title: str
    url: str
    text: str
    problem: str = ""
    """Why it cannot be read; empty where it can."""


class Files:
    """Reads the `files` source."""

    def __init__(self, settings: FilesSource) -> None:
        self.settings = settings

    def read(self) -> SourceRead:
        """Returns a document for each row with text; its id is the row's, or a hash of what it says."""
        rows = list(self._rows())
        return documents_of_rows(rows)

    def check(self) -> list[str]:
        """Returns the ids of the rows, those without text among them, after reading them all."""
        rows = list(self._rows())
        if not any(row.text.strip() for row in rows):
            raise InputError(f"No rows with text in '{self.settings.path}'.")
        return ids_of(rows)

    def fingerprint(self) -> str:
        """Returns a hash of the names and contents of the tables."""
        return files_fingerprint(self._paths)

    def sample(self, limit: int) -> list[str]:
        """Returns the texts of some rows."""
        rows = [f"{row.title}\n{row.text}" for row in self._rows()]
        return rows[:: max(1, -(-len(rows) // limit))]

    @cached_property
    def _paths(self) -> list[Path]:
        path = Path(self.settings.path).expanduser()
        refuse_special_file(path)
        try:
            if path.is_dir():
                return _tables_of(path)
            if not path.exists():
                raise InputError(f"No such file or folder: '{self.settings.path}'. Give a JSONL, JSON, CSV or Parquet file.")
        except OSError as error:
            raise InputError(f"Cannot read '{self.settings.path}': {error.strerror}.") from None
        if path.suffix.lower() not in TABLE_SUFFIXES:
            raise InputError(f"Cannot read '{path}' as a table: expected a file that ends in {', '.join(TABLE_SUFFIXES)}.")
        return [path]

    def _rows(self) -> Iterator[RawRow]:
        yield from raw_rows(self._paths, self.settings)


def files_fingerprint(paths: Sequence[Path]) -> str:
    """Returns a hash of the names and contents of files, in their order."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"Cannot read '{path}': {error.strerror}.") from None
        digest.update(f"{path.name}\0{content}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def raw_rows(paths: Sequence[Path], settings: TableSource) -> Iterator[RawRow]:
    """Yields the rows of the tables with what their columns hold, and those that cannot be read with the reason.

    Raises:
        InputError: A file is unreadable, an id is given to two rows, or more rows cannot be read than `max_unreadable_share`.
    """
    first: dict[str, str] = {}
    for path in paths:
        seen, n_rows = set[str](), 0
        columns: dict[tuple[str, ...], Columns | InputError] = {}
        unreadable: list[str] = []
        for place, row in table_rows(path):
            n_rows += 1
            try:
                raw = _read_row(place, row, settings, columns, seen)
            except InputError as error:
                unreadable.append(str(error))
                _refuse_unreadable(unreadable, n_rows, settings, path, ended=False)
                yield RawRow(place, "", "", "", "", problem=str(error).removeprefix(f"{place}: ").rstrip("."))
                continue
            if not raw.id.startswith(CONTENT_ID):
                _refuse_duplicate(raw, first)
            yield raw
        _refuse_unreadable(unreadable, n_rows, settings, path, ended=True)


def _read_row(
    place: str,
    row: Row | UnreadableRow,
    settings: TableSource,
    known: dict[tuple[str, ...], Columns | InputError],
    seen: set[str],
) -> RawRow:
    if isinstance(row, UnreadableRow):
        raise InputError(f"{place}: {row.problem}.")
    # A value that is itself an object is read by its parts.
    names = tuple(name for name, value in row.items() if not isinstance(value, dict))
    seen.update(names)
    if names not in known:
        try:
            known[names] = find_columns(list(names), settings, place, seen)
        except InputError as error:
            known[names] = error
    columns = known[names]
    if isinstance(columns, InputError):
        raise columns
    return raw_row(place, row, columns)


def _refuse_unreadable(unreadable: Sequence[str], n_rows: int, settings: TableSource, path: Path, *, ended: bool) -> None:
    """Raises an InputError when so many rows cannot be read that the file is not what it was taken for."""
    bad = len(unreadable)
    few = bad <= FEW_UNREADABLE and n_rows - bad >= 2 * bad
    too_many = bad > settings.max_unreadable_share * n_rows and not few
    hopeless = bad == n_rows >= HOPELESS or bad > max(n_rows / 2, 10 * HOPELESS)
    if too_many if ended else hopeless:
        more = f" {bad:,} of {n_rows:,} rows in '{path}' cannot be read, more than max_unreadable_share." if n_rows > 1 else ""
        raise InputError(f"{unreadable[0]}{more}")


def ids_of(rows: Iterable[RawRow]) -> list[str]:
    """Returns the ids of the rows that can be read, in their order."""
    return list(dict.fromkeys(row.id for row in rows if not row.problem))


def unique_ids(rows: Iterable[RawRow]) -> Iterator[RawRow]:
    """Yields the rows; raises `InputError` for the second row with the same id."""
    first: dict[str, str] = {}
    for row in rows:
        _refuse_duplicate(row, first)
        yield row


def _refuse_duplicate(row: RawRow, first: dict[str, str]) -> None:
    if row.id in first:
        raise InputError(f"Duplicate id '{row.id}': {first[row.id]} and {row.place}. Each document needs an id of its own.")
    first[row.id] = row.place


def documents_of_rows(rows: Sequence[RawRow]) -> SourceRead:
    """Returns a document for each row, cleaned, and the rows without text or with the text of an earlier one."""
    repeated = _titles_are_repeated(rows)
    documents: list[Document] = []
    skipped: list[Skipped] = []
    seen: dict[str, str] = {}
    skipped += [Skipped(row.place, row.problem) for row in rows if row.problem]
    rows = [row for row in rows if not row.problem]
    read = [counted(clean_row(_without_title(row.text, row.title) if repeated else row.text)) for row in rows]
    words = WordCount()
    for row, before, page in zip(rows, read, drop_recurring_endings(read), strict=True):
        text = page.text
        words.add(before.words or WordCount())
        words.removed.update(count_words(before.text, text, page.removals).removed)
        if row.id in seen:
            words.removed["rows that say the same as an earlier one"] += word_total(text)
        if not any(character.isalnum() for character in text):
            skipped.append(Skipped(row.place, "the row has no text"))
        elif row.id in seen:
            skipped.append(Skipped(row.place, "the row says the same as an earlier one"))
        else:
            seen[row.id] = row.place
            title, source = _title_and_source(row, text)
            documents.append(Document(id=row.id, title=title, text=text, source=source))
    words.read += sum(word_total(document.title) for document in documents)
    return SourceRead(documents, skipped, words)


def find_columns(names: list[str], settings: TableSource, place: str, seen: Collection[str] = ()) -> Columns:
    """Returns which of a table's columns are read: those that the settings name, or those with a usual name.

    `seen` has the names of columns in earlier rows: of what the settings name, only the text has to be in each row.

    Raises:
        InputError: A column that is named, or any column with text, does not exist.
    """
    wanted = [settings.text_column] if isinstance(settings.text_column, str) else settings.text_column or []
    for name, key in ((*((column, "text_column") for column in wanted), (settings.title_column, "title_column"),
                       (settings.url_column, "url_column"), (settings.id_column, "id_column"))):  # fmt: skip
        if name is not None and name not in names and (key == "text_column" or name not in seen):
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise InputError(f"No column '{name}' ({key}) in {place}.{hint} Columns: {_join_names(names)}.")
    text = tuple(wanted) or tuple(_usual(names, TEXT_COLUMNS, nested=True))
    if not text:
        near = [match for name in TEXT_COLUMNS[:4] for match in difflib.get_close_matches(name, names, n=1, cutoff=0.5)]
        hint = f" The nearest is '{near[0]}': name it with text_column." if near else " Name it with text_column."
        usual = ", ".join(TEXT_COLUMNS[:5])
        raise InputError(f"No column with text in {place}: looked for {usual}.{hint} Columns: {_join_names(names)}.")

    def one(given: str | None, usual: tuple[str, ...], nested: bool = True) -> str | None:
        return given or next((name for name in _usual([name for name in names if name not in text], usual, nested)), None)

    return Columns(
        text,
        one(settings.title_column, TITLE_COLUMNS),
        one(settings.url_column, URL_COLUMNS),
        one(settings.id_column, ID_COLUMNS, nested=False),  # `metadata.doc_id` names what the row is a part of
    )


def tables_in(folder: Path) -> list[Path]:
    """Returns the tables right in a folder, by name; a JSON file that holds no rows, such as package.json, is none."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in TABLE_SUFFIXES and path.is_file())
    return [path for path in files if not path.name.startswith(".") and (path.suffix.lower() != ".json" or holds_rows(path))]


def _tables_of(folder: Path) -> list[Path]:
    if (folder / BEIR_CORPUS).is_file():
        return [folder / BEIR_CORPUS]
    tables = tables_in(folder)
    if not tables:
        known = ", ".join(TABLE_SUFFIXES)
        raise InputError(f"No tables in the folder '{folder}': expected {BEIR_CORPUS} or files that end in {known}.")
    return tables


def raw_row(place: str, row: Row, columns: Columns) -> RawRow:
    """Returns what the columns of a row hold, as text; without an id column its id is a hash of that.

    Raises:
        InputError: The id is empty.
    """
    parts = (_text(row.get(name)) for name in columns.text)
    text = "\n\n".join(part for part in parts if part and part.lower() not in MISSING_TEXTS)
    title = _text(row.get(columns.title)) if columns.title else ""
    url = _text(row.get(columns.url)) if columns.url else ""
    identity = _text(row.get(columns.id)) if columns.id else _content_id(title, url, text)
    if not identity:
        raise InputError(f"{place}: the id column '{columns.id}' is empty. Each document needs an id of its own.")
    return RawRow(place, identity, title, url, text)


def _text(value: Any) -> str:
    if (
        value is None
        or (isinstance(value, float) and not math.isfinite(value))
        or (isinstance(value, str) and value.strip() in MISSING_WORDS)
    ):
        return ""
    if isinstance(value, str):
        return value.strip().encode("utf-8", errors="replace").decode()
    if isinstance(value, list | tuple):
        return "\n\n".join(part for part in (_text(item) for item in value) if part)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _content_id(title: str, url: str, text: str) -> str:
    return CONTENT_ID + hashlib.sha256("\0".join((title, url, text)).encode()).hexdigest()[:16]


def _title_and_source(row: RawRow, text: str) -> tuple[str, str]:
    """Returns a title for people, made of the URL where the row has no better one, and where the row comes from."""
    link = next((value for value in (row.title, row.url) if "://" in value and " " not in value), "")
    source = row.url or link or row.place
    if row.title and row.title != link:
        title = plain_words(row.title)
        return (readable_name(title) if "/" in title and " " not in title else title), source
    link = row.url or link
    return (readable_name(link) if link else first_heading(text)), source


def _titles_are_repeated(rows: Sequence[RawRow]) -> bool:
    titled = [row for row in rows if row.title and len(row.text) > len(row.title)]
    repeating = sum(row.text[: len(row.title)].lower() == row.title.lower() for row in titled)
    return len(titled) > 0 and repeating >= REPEATED_TITLE_SHARE * len(titled)


def _without_title(text: str, title: str) -> str:
    """Returns the text without the title in front of it, unless that begins a sentence: `Camera shortcuts let you`."""
    if not title or text[: len(title)].lower() != title.lower():
        return text
    rest = text[len(title) :]
    after = rest.lstrip(" \t\n:.-–—")
    if not after or (rest[:1].isalnum()) or (after[:1].islower() and "\n" not in rest[: len(rest) - len(after)]):
        return text
    return after


def _usual(names: list[str], usual: tuple[str, ...], nested: bool) -> list[str]:
    """Returns the column with the first of the usual names, or else one that is nested in another: `metadata.title`."""
    lowered = {name.lower(): name for name in reversed(names)}
    inner = {name.lower().rpartition(".")[2]: name for name in reversed(names) if "." in name} if nested else {}
    return [found[name] for found in (lowered, inner) for name in usual if name in found][:1]


def _join_names(names: list[str]) -> str:
    return ", ".join(names[:20]) + (", ..." if len(names) > 20 else "") if names else "none"
