"""Tables with a document a row: JSONL, JSON, CSV, TSV and Parquet files, and BEIR corpora."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from finetrieve.core.errors import InputError
from finetrieve.core.paths import ConfigPath
from finetrieve.core.rows import Document, Skipped
from finetrieve.corpus.parsing.cleaning import clean_row, first_heading, readable_name
from finetrieve.corpus.parsing.prose import plain_words
from finetrieve.corpus.parsing.recurring import drop_recurring_endings
from finetrieve.corpus.parsing.removal import WordCount
from finetrieve.corpus.parsing.tables import Row, table_rows
from finetrieve.corpus.sources.base import SourceRead, TableSource
from finetrieve.corpus.sources.pages import counted
from finetrieve.corpus.word_count import count_words, word_total

TABLE_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
"""The files that the `files` source reads."""
BEIR_CORPUS = "corpus.jsonl"
TEXT_COLUMNS = ("page_content", "text", "content", "body", "chunk", "passage", "document", "markdown", "contents", "article")
TITLE_COLUMNS = ("title", "name", "heading", "page_title", "parent_section", "section")
URL_COLUMNS = ("url", "source", "link", "href", "uri", "filename", "path", "file", "source_url", "parent_section")
ID_COLUMNS = ("_id", "id", "doc_id", "document_id", "docid", "pid", "uuid")
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
        return list(dict.fromkeys(row.id for row in rows))

    def fingerprint(self) -> str:
        """Returns a hash of the names and contents of the tables."""
        return files_fingerprint(self._paths)

    @cached_property
    def _paths(self) -> list[Path]:
        path = Path(self.settings.path).expanduser()
        try:
            if path.is_dir():
                return _tables_in(path)
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
    """Yields the rows of the tables with what their columns hold.

    Raises:
        InputError: A file is unreadable or invalid, a column is missing, or an id is given to two rows.
    """
    first: dict[str, str] = {}
    for path in paths:
        columns: Columns | None = None
        for place, row in table_rows(path):
            if columns is None or not set(columns.text) <= row.keys():
                columns = find_columns(list(row), settings, place)
            raw = raw_row(place, row, columns)
            if columns.id is not None:
                _refuse_duplicate(raw, first)
            yield raw


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


def find_columns(names: list[str], settings: TableSource, place: str) -> Columns:
    """Returns which of a table's columns are read: those that the settings name, or those with a usual name.

    Raises:
        InputError: A column that is named, or any column with text, does not exist.
    """
    wanted = [settings.text_column] if isinstance(settings.text_column, str) else settings.text_column or []
    for name, key in ((*((column, "text_column") for column in wanted), (settings.title_column, "title_column"),
                       (settings.url_column, "url_column"), (settings.id_column, "id_column"))):  # fmt: skip
        if name is not None and name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise InputError(f"No column '{name}' ({key}) in {place}.{hint} Columns: {_join_names(names)}.")
    text = tuple(wanted) or tuple(_usual(names, TEXT_COLUMNS))
    if not text:
        near = [match for name in TEXT_COLUMNS[:4] for match in difflib.get_close_matches(name, names, n=1, cutoff=0.5)]
        hint = f" The nearest is '{near[0]}': name it with text_column." if near else " Name it with text_column."
        usual = ", ".join(TEXT_COLUMNS[:5])
        raise InputError(f"No column with text in {place}: looked for {usual}.{hint} Columns: {_join_names(names)}.")

    def one(given: str | None, usual: tuple[str, ...]) -> str | None:
        return given or next((name for name in _usual(names, usual) if name not in text), None)

    return Columns(
        text,
        one(settings.title_column, TITLE_COLUMNS),
        one(settings.url_column, URL_COLUMNS),
        one(settings.id_column, ID_COLUMNS),
    )


def _tables_in(folder: Path) -> list[Path]:
    if (folder / BEIR_CORPUS).is_file():
        return [folder / BEIR_CORPUS]
    tables = sorted(path for path in folder.iterdir() if path.suffix.lower() in TABLE_SUFFIXES and path.is_file())
    if not tables:
        known = ", ".join(TABLE_SUFFIXES)
        raise InputError(f"No tables in the folder '{folder}': expected {BEIR_CORPUS} or files that end in {known}.")
    return tables


def raw_row(place: str, row: Row, columns: Columns) -> RawRow:
    """Returns what the columns of a row hold, as text; without an id column its id is a hash of that.

    Raises:
        InputError: The id is empty.
    """
    text = "\n\n".join(part for name in columns.text if (part := _text(row.get(name))))
    title = _text(row.get(columns.title)) if columns.title else ""
    url = _text(row.get(columns.url)) if columns.url else ""
    identity = _text(row.get(columns.id)) if columns.id else _content_id(title, url, text)
    if not identity:
        raise InputError(f"{place}: the id column '{columns.id}' is empty. Each document needs an id of its own.")
    return RawRow(place, identity, title, url, text)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip().encode("utf-8", errors="replace").decode()
    if isinstance(value, list | tuple):
        return "\n\n".join(part for part in (_text(item) for item in value) if part)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def _content_id(title: str, url: str, text: str) -> str:
    return "row-" + hashlib.sha256("\0".join((title, url, text)).encode()).hexdigest()[:16]


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


def _usual(names: list[str], usual: tuple[str, ...]) -> list[str]:
    lowered = {name.lower(): name for name in reversed(names)}
    return [lowered[name] for name in usual if name in lowered][:1]


def _join_names(names: list[str]) -> str:
    return ", ".join(names[:20]) + (", ..." if len(names) > 20 else "") if names else "none"
