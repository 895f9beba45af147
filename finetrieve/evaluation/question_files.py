"""Evaluation questions in one table, CSV, TSV or JSONL, as a spreadsheet exports it: a question and a right page per row."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from finetrieve.core.errors import InputError
from finetrieve.core.text import normalise_query
from finetrieve.evaluation.settings import QUESTION_FILE_SUFFIXES

QUESTION_COLUMNS = ("question", "query")
PAGE_COLUMNS = ("page", "doc_id", "document")
SPLITS = ("dev", "test")
NO_PAGE = "none"
"""As the page of a question that no document answers."""


@dataclass(frozen=True)
class Judgement:
    """How well a document answers a query."""

    query: str
    """The query's id."""
    document: str
    score: int
    """Above 0 is relevant."""
    place: str
    """File and line, for messages."""


@dataclass(frozen=True)
class QuestionFile:
    """What a file of questions says."""

    queries: dict[str, str]
    """Query id -> text; the id follows from the words, so that other rows do not change it."""
    judgements: dict[str, list[Judgement]]
    """Split, `dev` or `test` -> judgements, of pages as the file names them."""
    weights: dict[str, float] = field(default_factory=dict)
    """Query id -> how often it is asked, for those with a weight."""
    unanswerable: dict[str, str] = field(default_factory=dict)
    """Query id -> text, of test questions that no document answers."""


def is_question_file(path: Path) -> bool:
    """Returns whether a path is a file of questions."""
    return path.suffix.lower() in QUESTION_FILE_SUFFIXES and path.is_file()


def read_question_file(path: Path) -> QuestionFile:
    """Returns the questions of a CSV, TSV or JSONL file; rows of one question, however it is written, are several right pages.

    Raises:
        InputError: A column or a cell is missing, or a cell cannot be read; with file and line.
    """
    queries: dict[str, str] = {}
    splits: dict[str, tuple[str, str]] = {}
    judgements: dict[str, list[Judgement]] = {}
    weights: dict[str, float] = {}
    unanswerable: dict[str, str] = {}
    for number, row in _rows(path):
        place = f"{path} line {number}"
        text, page = _cell(row, QUESTION_COLUMNS, place), _cell(row, PAGE_COLUMNS, place)
        query = hashlib.sha256(normalise_query(text).encode()).hexdigest()[:12]
        queries.setdefault(query, text)
        split = _split(row.get("split", ""), place)
        first, where = splits.setdefault(query, (split, place))
        if first != split:
            raise InputError(f"{place}: the question '{text}' is in '{split}' here and in '{first}' at {where}; choose one.")
        if row.get("weight"):
            weight = _weight(row["weight"], place)
            if weights.setdefault(query, weight) != weight:
                raise InputError(f"{place}: the question '{text}' weighs {weight:g} here, {weights[query]:g} above; choose one.")
        if page.lower() == NO_PAGE:
            if split != "test":
                raise InputError(f"{place}: a question without an answer cannot be a dev question; leave its split empty.")
            unanswerable[query] = text
        else:
            judgements.setdefault(split, []).append(Judgement(query, page, whole_score(row.get("score", ""), place), place))
    if not queries:
        raise InputError(f"{path} has no questions; expected a row for each question and page below the header.")
    both = next((row for rows in judgements.values() for row in rows if row.query in unanswerable), None)
    if both is not None:
        raise InputError(
            f"{both.place}: the question '{queries[both.query]}' has a page here, '{NO_PAGE}' elsewhere; choose one."
        )
    return QuestionFile(queries, dict(sorted(judgements.items())), weights, unanswerable)


def resolve_pages(
    judgements: Iterable[Judgement], documents: Collection[str], questions: Mapping[str, str], *, refuse: bool
) -> list[Judgement]:
    """Returns the judgements with each page as the id of the document that it names.

    A page is named by its id, also without its ending, or with `./` or `docs/` in front, where only one document is meant; or by
    its address on the web where its id is the path there.

    Args:
        judgements: Of pages as the file names them.
        documents: The ids that exist.
        questions: Query id -> text, to tell a file whose columns are swapped.
        refuse: Whether a page that names no document is a mistake; else it keeps its name.

    Raises:
        InputError: A page names no document, or more than one.
    """
    ids, short = set(documents), ids_without_ending(documents)
    found, unknown = [], dict[str, Judgement]()
    for judgement in judgements:
        meant = named_documents(judgement.document, ids, short)
        if len(meant) > 1:
            names = ", ".join(f"'{name}'" for name in meant[:3])
            raise InputError(f"{judgement.place}: page '{judgement.document}' can be {names}; write its whole name.")
        if not meant:
            unknown.setdefault(judgement.document, judgement)
        found.append(replace(judgement, document=meant[0]) if meant else judgement)
    if unknown and refuse:
        swapped = next((row for row in unknown.values() if named_documents(questions.get(row.query, ""), ids, short)), None)
        raise InputError(_unknown_pages(unknown, ids) if swapped is None else _swapped_columns(swapped, questions[swapped.query]))
    return found


def named_documents(page: str, ids: Collection[str], short: Mapping[str, list[str]]) -> list[str]:
    """Returns the ids that a page's name can mean; `short` is of `ids_without_ending`."""
    clean = page.replace("\\", "/").removeprefix("./").lstrip("/")
    for name in (page, clean, clean.removeprefix("docs/"), *_paths_of(page)):
        # macOS writes "ä" in a file's name as two characters, a spreadsheet as one.
        for form in dict.fromkeys((name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))):
            if form in ids:
                return [form]
            if form in short:
                return short[form]
    return []


def _paths_of(address: str) -> list[str]:
    """Returns the paths that an address on the web can mean, as ids are written; none where it is no such address."""
    match = re.fullmatch(r"https?://[^/?#]+/?([^#]*)(?:#.*)?", address.strip())
    if match is None:
        return []
    path = unquote(match[1])
    return [path, path.rstrip("/"), f"{path}/"] if path else ["index.html"]


def ids_without_ending(ids: Iterable[str]) -> dict[str, list[str]]:
    """Returns document ids without the ending of a file of documentation -> the ids."""
    from finetrieve.corpus.sources.folder import document_suffixes

    suffixes = document_suffixes()
    short: dict[str, list[str]] = {}
    for name in sorted(ids):
        stem, dot, ending = name.rpartition(".")
        if stem and f"{dot}{ending}".lower() in suffixes:
            short.setdefault(stem, []).append(name)
    return short


def _swapped_columns(row: Judgement, question: str) -> str:
    return (
        f"{row.place}: the columns look swapped: the question is '{question}', which is a document, and the page is "
        f"'{row.document}', which is none; change the names of the columns in the header."
    )


def _unknown_pages(unknown: Mapping[str, Judgement], ids: Collection[str]) -> str:
    from rapidfuzz import process

    page, judgement = next(iter(unknown.items()))
    near = [f"'{name}'" for name, _, _ in process.extract(page, sorted(ids), processor=str.casefold, limit=3, score_cutoff=50)]
    hint = f" Nearest: {', '.join(near)}." if near else ""
    others = len(unknown) - 1
    more = f" {others:,} more page{' is' if others == 1 else 's are'} unknown." if others else ""
    return f"{judgement.place}: page '{page}' is not among the {len(ids):,} documents that are read.{hint}{more}"


# The rows of a file.


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields line number and column -> text, for rows that are neither blank nor a comment (`# ...`)."""
    text = _text(path)
    rows = _json_rows(path, text) if path.suffix.lower() in (".jsonl", ".ndjson") else _table_rows(path, text)
    checked = False
    for number, row in rows:
        if not checked:
            _check_columns(path, list(row))
            checked = True
        yield number, row


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        return content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text; export it as 'CSV UTF-8'.") from None
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from None


def _table_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    first = next((line for line in text.splitlines() if line.strip() and not _is_comment(line)), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    columns: list[str] = []
    number = 1
    try:
        for fields in reader:
            cells = [cell.strip() for cell in fields]
            if any(cells) and not _is_comment(cells[0]):
                if not columns:
                    columns = [_column(cell) for cell in cells]
                    _check_columns(path, columns)
                elif any(cells[len(columns) :]):
                    further = sum(any(cell.strip() for cell in row[len(columns) :]) for row in reader)
                    raise InputError(
                        f"{path} line {number}: {len(cells)} cells, but the header has {len(columns)}; "
                        f"put quotation marks around a question that contains '{reader.dialect.delimiter}'."
                        + (f" Rows below it with the same mistake: {further:,}." if further else "")
                    )
                else:
                    yield number, dict(zip(columns, cells, strict=False))
            number = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path} line {number}: not valid CSV ({error}); look at its quotation marks.") from None


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or _is_comment(line):
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path} line {number}: not valid JSON ({error}).") from None
        if not isinstance(row, dict):
            raise InputError(
                f'{path} line {number}: expected an object with "question" and "page", found a {type(row).__name__}.'
            )
        yield number, {_column(key): _json_cell(value, key, f"{path} line {number}") for key, value in row.items()}


def _json_cell(value: Any, key: str, place: str) -> str:
    if _column(key) in (*QUESTION_COLUMNS, *PAGE_COLUMNS) and not isinstance(value, str | int | None):
        raise InputError(f"{place}: '{key}' is a {type(value).__name__}, expected text; write a row for each question and page.")
    return "" if value is None else str(value).strip()


def _is_comment(line: str) -> bool:
    return line.startswith("# ")


def _column(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _check_columns(path: Path, found: list[str]) -> None:
    if {"_id", "text"} <= set(found):
        raise InputError(
            f"Evaluation set '{path}' is a file of a BEIR folder; give the folder with queries.jsonl and qrels/*.tsv."
        )
    for names in (QUESTION_COLUMNS, PAGE_COLUMNS):
        if not set(names) & set(found):
            seen = ", ".join(name or "(no name)" for name in found)
            raise InputError(f"{path}: no column '{names[0]}' (or {' or '.join(names[1:])}). Columns seen: {seen}.")
    for name in (*QUESTION_COLUMNS, *PAGE_COLUMNS, "score", "split", "weight"):
        if found.count(name) > 1:
            raise InputError(f"{path}: the column '{name}' is there twice; several right pages are several rows.")


def _cell(row: Mapping[str, str], names: tuple[str, ...], place: str) -> str:
    """Returns the text of the first of the columns that exists."""
    text = next((row[name] for name in names if name in row), "")
    if not text:
        raise InputError(f"{place}: the {names[0]} is empty; each row has a question and a page.")
    return " ".join(text.split()) if names == QUESTION_COLUMNS else text


def _split(text: str, place: str) -> str:
    split = text.lower() or "test"
    if split not in SPLITS:
        raise InputError(f"{place}: unknown split '{text}'. Choose one of: {', '.join(SPLITS)}.")
    return split


def _weight(text: str, place: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = 0.0
    if not 0 < weight < float("inf"):
        raise InputError(f"{place}: the weight '{text}' is no number above 0.")
    return weight


def whole_score(text: str, place: str) -> int:
    """Returns a score as a whole number, which `1.0` is as well; 1 where there is none.

    Raises:
        InputError: It is no whole number.
    """
    try:
        score = float(text or 1)
        if score == int(score):
            return int(score)
    except (ValueError, OverflowError):
        pass
    raise InputError(f"{place}: the score '{text}' is no whole number.")
