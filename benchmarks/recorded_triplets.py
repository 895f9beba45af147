"""An LLM's recorded triplets, parted by page: what may be trained on, and what is asked.

A folder of them has BEIR's layout, with `negative_query` in its queries.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetrieve.core.rows import Chunk, Document, GeneratedQuery
from finetrieve.core.text import normalise_query
from finetrieve.corpus.deduplication import near_duplicate_documents


@dataclass(frozen=True)
class Questions:
    """What is asked, and what answers it."""

    texts: list[str]
    relevant: list[dict[str, int]]
    """Per question, the chunks that answer it."""


def recorded(folder: Path) -> tuple[list[Chunk], list[GeneratedQuery]]:
    """Returns the passages as chunks, one a document of its own, and the recorded triplets."""
    rows = {row["_id"]: row for row in _lines(folder / "corpus.jsonl")}
    chunks = [Chunk(key, key, row["title"], _title(row["title"]), "", row["text"], 0, 0) for key, row in rows.items()]
    asked = {row["_id"]: row for row in _lines(folder / "queries.jsonl")}
    triplets = []
    for line in (folder / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, passage, _ = line.split("\t")
        row = asked[query]
        triplets.append(GeneratedQuery(query, passage, row["text"], row["negative_query"], "recorded", "triplet", row["model"]))
    return chunks, triplets


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _title(url: str) -> str:
    """The page's name, as its URL has it: the recordings have no other title."""
    return url.rstrip("/").rsplit("/", 1)[-1].replace("-", " ").replace("_", " ").capitalize()


def folds_of(chunks: Sequence[Chunk], count: int) -> dict[str, int]:
    """Returns chunk id -> fold; a page and the near copies of its passages share one."""
    copies = near_duplicate_documents([Document(chunk.id, chunk.title, chunk.text, chunk.source) for chunk in chunks])
    leader: dict[str, str] = {}

    def root(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for chunk in chunks:
        leader[root(f"page {chunk.source}")] = root(f"copy {copies.get(chunk.id, chunk.id)}")
    group = {chunk.id: root(f"page {chunk.source}") for chunk in chunks}
    names = sorted(set(group.values()))
    random.Random(0).shuffle(names)
    return {key: names.index(name) % count for key, name in group.items()}


def asked(triplets: Sequence[GeneratedQuery], fold_of: dict[str, int], fold: int) -> Questions:
    """Returns a fold's questions; what several chunks answer is one question, of its first chunk's fold."""
    wording: dict[str, str] = {}
    relevant: dict[str, dict[str, int]] = {}
    for row in triplets:
        key = normalise_query(row.query)
        wording.setdefault(key, row.query)
        relevant.setdefault(key, {})[row.chunk_id] = 1
    own = [key for key, answers in relevant.items() if fold_of[next(iter(answers))] == fold]
    return Questions([wording[key] for key in own], [relevant[key] for key in own])
