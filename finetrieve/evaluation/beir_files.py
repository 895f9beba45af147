"""Queries and judgements in BEIR's files, queries.jsonl and qrels/*.tsv, with one line for each mistake in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from finetrieve.core.errors import InputError
from finetrieve.evaluation.question_files import Judgement, whole_score

TREC_FIELDS = 4
SKIP_UNKNOWN = "Set 'skip_unknown: true' of this set to leave such judgements out."
Qrels = dict[str, dict[str, int]]
"""Query id -> unit id -> score; above 0 is relevant."""


def read_queries(path: Path) -> dict[str, str]:
    """Returns query id -> text of a `queries.jsonl`; raises `InputError` with file and line."""
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
    """Yields the lines of a judgement file; a first line whose third field has no digit is a header."""
    count = 0
    for number, line in _lines(path):
        fields = line.rstrip("\r\n").split("\t")
        if len(fields) == 1 and len(line.split()) == TREC_FIELDS:
            raise InputError(
                f"{path} line {number}: found {TREC_FIELDS} fields parted by spaces, which is TREC's form (query id, 0, document "
                "id, score); expected 3 fields parted by tabs: query id, document id, score."
            )
        if len(fields) != 3:
            raise InputError(
                f"{path} line {number}: expected 3 fields parted by tabs (query id, document id, score), found {len(fields)}."
            )
        query, document, score = (field.strip() for field in fields)
        if number == 1 and not any(character.isdigit() for character in score):
            continue
        yield Judgement(query, document, whole_score(score or "?", f"{path} line {number}"), f"{path} line {number}")
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


def check_known(kind: str, where: str, named: Iterable[tuple[str, str]], known: Iterable[str]) -> None:
    """Raises InputError if a judgement names an id that does not exist, with the nearest one that does."""
    ids = known if isinstance(known, set | dict) else set(known)
    unknown: dict[str, str] = {}
    for name, place in named:
        if name not in ids:
            unknown.setdefault(name, place)
    if not unknown:
        return
    name, place = next(iter(unknown.items()))
    more = f" {len(unknown) - 1:,} more ids are unknown." if len(unknown) > 1 else ""
    raise InputError(f"{place}: {kind} '{name}' is not in {where}.{_nearest(name, ids)}{more} {SKIP_UNKNOWN}")


def _nearest(name: str, known: Iterable[str]) -> str:
    from rapidfuzz import process

    found = process.extractOne(name, sorted(known), processor=str.casefold, score_cutoff=50)
    return f" The nearest known id is '{found[0]}'." if found else ""


def collect(judgements: Iterable[Judgement]) -> Qrels:
    """Returns query id -> document id -> score; raises `InputError` where two lines contradict each other."""
    qrels: Qrels = {}
    for row in judgements:
        seen = qrels.setdefault(row.query, {}).setdefault(row.document, row.score)
        if seen != row.score:
            raise InputError(
                f"{row.place}: query '{row.query}', document '{row.document}' has the score {row.score} here and {seen} before."
            )
    return qrels
