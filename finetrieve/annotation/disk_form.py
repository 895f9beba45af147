"""A dataset of pairs as Argilla's client writes one to disk, which `rg.Dataset.from_disk` reads: settings and records."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from finetrieve.annotation.dataset import FIELDS, GUIDELINES, METADATA, NEGATIVE, QUERY, QUESTIONS, Json
from finetrieve.annotation.records import SECTION_LENGTH, render_chunk, render_query
from finetrieve.annotation.settings import DATASET_NAME_LENGTH
from finetrieve.core.html import clean
from finetrieve.core.rows import Chunk, Pair

_SETTINGS_FOLDER = ".argilla"
_KNOWN = ("parent_section", "style", "split", "token_count")
"""Of the metadata that a dataset under review has, what is known of every pair."""
_PROVENANCE: Json = {
    "name": "provenance",
    "title": "Where it comes from",
    "settings": {"type": "terms"},
    "visible_for_annotators": True,
}


def write_disk_form(folder: Path, name: str, pairs: Iterable[tuple[Pair, Chunk]]) -> None:
    """Writes a dataset that people can review elsewhere: each query is suggested beside the chunk that answers it.

    Args:
        folder: Where to; it exists.
        name: The dataset's; what Argilla does not take in a name is replaced.
        pairs: Each with its chunk.
    """
    named = re.sub(r"[^\w.-]+", "-", name).strip("-._")[:DATASET_NAME_LENGTH] or "pairs"
    shared: Json = {
        "guidelines": GUIDELINES.strip(),
        "allow_extra_metadata": True,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
    }
    settings = {
        **shared,
        "fields": FIELDS,
        "questions": QUESTIONS,
        "metadata": [*(row for row in METADATA if row["name"] in _KNOWN), _PROVENANCE],
        "vectors": [],
        "mapping": None,
    }
    (folder / _SETTINGS_FOLDER).mkdir()
    _write(folder / _SETTINGS_FOLDER / "dataset.json", {"name": named, "status": "ready", **shared})
    _write(folder / _SETTINGS_FOLDER / "settings.json", settings)
    records = {record["id"]: record for record in (_record(pair, chunk) for pair, chunk in pairs)}
    _write(folder / "records.json", list(records.values()))


def _record(pair: Pair, chunk: Chunk) -> Json:
    suggested = {QUERY: pair.query, **({NEGATIVE: pair.negative_query} if pair.negative_query else {})}
    metadata = {
        "parent_section": clean(chunk.section or chunk.title, SECTION_LENGTH) or "-",
        "style": clean(pair.style) or "-",
        "split": pair.split,
        "token_count": chunk.n_tokens,
        "provenance": pair.provenance,
        "chunk_id": chunk.id,
        "doc_id": chunk.doc_id,
    }
    return {
        "id": hashlib.sha256(f"{chunk.id}\0{pair.query}".encode()).hexdigest()[:16],
        "fields": render_chunk(chunk),
        "metadata": metadata,
        "suggestions": {name: {"value": render_query(query), "score": None, "agent": None} for name, query in suggested.items()},
        "responses": {},
        "vectors": {},
        "status": "pending",
    }


def _write(path: Path, content: Json | list[Json]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
