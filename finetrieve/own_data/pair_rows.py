"""A row of a table of pairs as labels: a query, a passage or document, and how well that answers it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetrieve.core.errors import InputError, did_you_mean
from finetrieve.own_data.settings import PairSettings

QUERY_COLUMNS = ("query", "question", "user_input", "anchor", "search_query")
POSITIVE_COLUMNS = (
    "positive",
    "pos_doc",
    "pos",
    "positives",
    "positive_passages",
    "reference_contexts",
    "contexts",
    "context",
    "passage",
    "text",
    "chunk",
    "answer",
)
DOCUMENT_COLUMNS = ("positive_id", "doc_id", "document_id", "document", "page", "corpus_id", "corpus-id", "pos_id")
NEGATIVE_COLUMNS = ("negatives", "negative", "neg_doc", "neg", "hard_negatives", "negative_passages", "negative_ids")
SCORE_COLUMNS = ("score", "scores", "relevance", "label", "labels")
_NUMBERED_NEGATIVE = re.compile(r"(?:hard_)?negative_?\d+")


@dataclass(frozen=True, slots=True)
class Label:
    """How well a passage or a document answers a query, as a file says."""

    query: str
    text: str
    """What answers it, or the id of what does; empty where `document` alone says it."""
    document: str
    """Id of the document that answers it; empty where `text` alone says it."""
    score: float
    """Above 0 it answers; else it is a hard negative."""
    place: str
    """File and line, for messages."""


@dataclass(frozen=True, slots=True)
class PairColumns:
    """The columns of a table that are read."""

    query: str
    text: str | None
    document: str | None
    negatives: tuple[str, ...]
    score: str | None


def find_pair_columns(names: Sequence[str], settings: PairSettings, place: str) -> PairColumns:
    """Returns which columns are read: those that the settings name, or those with a usual name.

    Raises:
        InputError: A column that is named, or any with queries or answers, does not exist.
    """
    named = {
        "query_column": settings.query_column,
        "positive_column": settings.positive_column,
        "negatives_column": settings.negatives_column,
        "score_column": settings.score_column,
    }
    for key, name in named.items():
        if name is not None and name not in names:
            raise InputError(f"{place}: no column '{name}' ({key}).{did_you_mean(name, names)} Columns seen: {_joined(names)}.")
    query = settings.query_column or _usual(names, QUERY_COLUMNS)
    text = settings.positive_column or _usual(names, POSITIVE_COLUMNS)
    document = None if settings.positive_column else _usual(names, DOCUMENT_COLUMNS)
    if query is None:
        raise InputError(_missing(place, "a query", QUERY_COLUMNS, "query_column", names))
    if text is None and document is None:
        wanted = (*POSITIVE_COLUMNS[:3], *DOCUMENT_COLUMNS[1:2])
        raise InputError(_missing(place, "what answers the query", wanted, "positive_column", names))
    return PairColumns(
        query, text, document, _negative_columns(names, settings), settings.score_column or _usual(names, SCORE_COLUMNS)
    )


def _negative_columns(names: Sequence[str], settings: PairSettings) -> tuple[str, ...]:
    if settings.negatives_column is not None:
        return (settings.negatives_column,)
    usual = _usual(names, NEGATIVE_COLUMNS)
    return (usual,) if usual else tuple(name for name in names if _NUMBERED_NEGATIVE.fullmatch(name.lower()))


def _missing(place: str, what: str, usual: Sequence[str], key: str, names: Sequence[str]) -> str:
    return f"{place}: no column with {what}: looked for {', '.join(usual)}. Name it with {key}. Columns seen: {_joined(names)}."


def labels_of_row(row: Mapping[str, Any], columns: PairColumns, place: str) -> Iterator[Label]:
    """Yields a row's labels: its positives, then its negatives.

    Raises:
        InputError: A cell is empty or holds what cannot be read; with the line, the value seen and what was expected.
    """
    query = row.get(columns.query)
    if query is not None and not isinstance(query, str):
        raise InputError(f"{place}: '{columns.query}' is {_seen(query)}, expected text.")
    if not (query and query.strip()):
        raise InputError(f"{place}: '{columns.query}' is empty; each row has a query and what answers it.")
    query = " ".join(query.split())
    texts = _passages(row.get(columns.text), columns.text, place) if columns.text else []
    documents = _passages(row.get(columns.document), columns.document, place) if columns.document else []
    if not texts and not documents:
        names = " and ".join(f"'{name}'" for name in (columns.text, columns.document) if name)
        raise InputError(
            f"{place}: {names} {'are' if ' and ' in names else 'is'} empty; each row has a query and what answers it."
        )
    if texts and documents and len(texts) == len(documents):
        positives = list(zip(texts, documents, strict=True))
    else:
        positives = [(text, "") for text in texts] or [("", document) for document in documents]
    negatives = [found for name in columns.negatives for found in _passages(row.get(name), name, place)]
    scores = _scores(row.get(columns.score) if columns.score else None, len(positives), str(columns.score), place)
    for (text, document), score in zip(positives, scores, strict=True):
        yield Label(query, text, document, score, place)
    for text in negatives:
        yield Label(query, text, "", 0.0, place)


def _passages(value: Any, column: str | None, place: str) -> list[str]:
    """Returns the texts or ids of a cell: a text, a list, `{"id": ...}` or `{"text": ...}`; CSV holds a list as JSON does."""
    if value is None:
        return []
    if isinstance(value, str):
        listed = _listed(value)
        return [found for item in listed for found in _passages(item, column, place)] if listed is not None else _plain(value)
    if isinstance(value, Mapping):
        found = next((value[key] for key in ("text", "id", "_id", "doc_id", "docid", "content") if value.get(key)), None)
        if isinstance(found, str | int):
            return _plain(str(found))
        raise InputError(f"{place}: '{column}' is {_seen(value)}, expected a text or an id in it.")
    if isinstance(value, list | tuple):
        return [found for item in value for found in _passages(item, column, place)]
    if isinstance(value, int) and not isinstance(value, bool):
        return [str(value)]
    raise InputError(f"{place}: '{column}' is {_seen(value)}, expected text, an id, or a list of them.")


def _listed(text: str) -> list[Any] | None:
    if not (text.startswith("[") and text.rstrip().endswith("]")):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list) and all(isinstance(item, str | dict) for item in found):
            return found
    return None


def _plain(text: str) -> list[str]:
    return [text.strip()] if text.strip() else []


def _scores(value: Any, n_positives: int, column: str, place: str) -> list[float]:
    """Returns a score per positive; a list may be longer, for the negatives, which are told apart by their column."""
    if value is None or value == "":
        return [1.0] * n_positives
    values = list(value) if isinstance(value, list | tuple) else [value] * n_positives
    if len(values) < n_positives:
        raise InputError(f"{place}: '{column}' has {len(values)} scores for {n_positives} answers; expected one for each.")
    try:
        return [float(score) for score in values[:n_positives]]
    except (TypeError, ValueError):
        raise InputError(f"{place}: '{column}' is {_seen(value)}, expected a number.") from None


def _usual(names: Sequence[str], usual: Sequence[str]) -> str | None:
    lowered = {name.lower(): name for name in reversed(names)}
    return next((lowered[name] for name in usual if name in lowered), None)


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) or "none"


def _seen(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
