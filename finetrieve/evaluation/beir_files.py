"""The files of an evaluation set in BEIR's layout: `queries.jsonl` and `qrels/*.tsv`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from finetrieve.core.errors import InputError
from finetrieve.evaluation.question_files import Judgement


def read_queries(path: Path) -> dict[str, str]:
    """Returns query id -> text.

    Raises:
        InputError: It cannot be read, has no queries, or a line is no query; with its number.
    """
    queries: dict[str, str] = {}
    for number, line in _lines(path):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path} line {number}: not valid JSON ({error}).") from None
        if not isinstance(row, dict) or not all(isinstance(row.get(key), str | int) for key in ("_id", "text")):
            found = f"the keys {', '.join(map(str, row))}" if isinstance(row, dict) else f"a {type(row).__name__}"
            raise InputError(f'{path} line {number}: expected an object with "_id" and "text", found {found}.')
        query, text = str(row["_id"]), str(row["text"]).strip()
        if not text:
            raise InputError(f"{path} line {number}: query '{query}' has no text.")
        if query in queries:
            raise InputError(f"{path} line {number}: query id '{query}' is there twice.")
        queries[query] = text
    if not queries:
        raise InputError(f"{path} has no queries.")
    return queries


def read_judgements(path: Path) -> Iterator[Judgement]:
    """Yields the judgements of a file; a first line whose third field has no digit is a header.

    Raises:
        InputError: It cannot be read, has no judgements, or a line is none; with its number.
    """
    count = 0
    for number, line in _lines(path):
        fields = line.rstrip("\r\n").split("\t")
        if len(fields) != 3:
            raise InputError(
                f"{path} line {number}: expected 3 fields parted by tabs (query id, document id, score), found {len(fields)}."
            )
        query, document, score = (field.strip() for field in fields)
        if number == 1 and not any(character.isdigit() for character in score):
            continue
        try:
            yield Judgement(query, document, int(score), f"{path} line {number}")
        except ValueError:
            raise InputError(f"{path} line {number}: the score '{score}' is no whole number.") from None
        count += 1
    if not count:
        raise InputError(f"{path} has no judgements.")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yields the lines that are not blank, numbered from 1."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text.") from None
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from None
