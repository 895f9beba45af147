"""People's own queries in Argilla as a human evaluation set: `argilla:DATASET` wherever a folder of questions may stand."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetrieve.annotation.client import Server, find_dataset, find_workspace, read_records
from finetrieve.annotation.dataset import check_dataset, question_ids
from finetrieve.annotation.responses import ReviewedRecord, parse_responses
from finetrieve.core.errors import InputError
from finetrieve.core.paths import user_cache
from finetrieve.core.text import normalise_query

PREFIX = "argilla:"
"""In front of a dataset's name, where the path of an evaluation set stands."""


@dataclass(frozen=True)
class HumanQuery:
    """A query that a person wrote, and the documents in whose texts they found its answer."""

    id: str
    text: str
    doc_ids: tuple[str, ...]


def dataset_of(path: Path) -> str | None:
    """Returns the dataset that an evaluation set's path names, or None for a folder."""
    text = str(path)
    return text.removeprefix(PREFIX) if text.startswith(PREFIX) else None


def read_human_queries(server: Server, name: str, document_ids: Collection[str]) -> list[HumanQuery]:
    """Returns people's own queries in a dataset, each once however it is written; none where there is no such dataset.

    Args:
        server: The server.
        name: The dataset's.
        document_ids: Those that exist: a query about a document that is gone is left out.

    Raises:
        InputError: The dataset of that name is not one of ours.
    """
    dataset = find_dataset(server, find_workspace(server), name)
    if dataset is None or dataset["status"] == "draft":
        return []
    check_dataset(server, dataset, None)
    ids = question_ids(server, dataset)
    raw = read_records(server, dataset["id"], ["responses", "suggestions"], lambda _done, _total: None)
    return collect_human_queries(parse_responses(raw, dataset["id"], ids), document_ids)


def collect_human_queries(records: Sequence[ReviewedRecord], document_ids: Collection[str]) -> list[HumanQuery]:
    """Returns the own queries of reviewed records, ordered by their ids."""
    texts: dict[str, str] = {}
    documents: dict[str, set[str]] = {}
    for record in sorted(records, key=lambda record: record.external_id):
        shown = {doc_id for _, doc_id, _ in record.shown_chunks}
        if not all(doc_id in document_ids for doc_id in shown):
            continue
        for query in (query for response in record.responses for query in response.own_queries):
            key = normalise_query(query)
            texts.setdefault(key, query)
            documents.setdefault(key, set()).update(shown)
    found = [HumanQuery(_id(key), text, tuple(sorted(documents[key]))) for key, text in texts.items()]
    return sorted(found, key=lambda query: query.id)


def _id(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def write_eval_set(queries: Sequence[HumanQuery], name: str, root: Path | None = None) -> Path:
    """Returns a folder in BEIR's layout with the queries; the same queries give the same folder, other ones another.

    Args:
        queries: At least one.
        name: The dataset's.
        root: Where the folders lie. Default: the user's cache.

    Raises:
        InputError: There is no query.
    """
    if not queries:
        raise InputError(
            f"The Argilla dataset '{name}' has no queries of people's own about these documents yet. Add some there, in the box "
            "'Your own queries', and submit; or check the name."
        )
    lines = "".join(json.dumps({"_id": query.id, "text": query.text}, ensure_ascii=False) + "\n" for query in queries)
    rows = "".join(f"{query.id}\t{document}\t1\n" for query in queries for document in query.doc_ids)
    digest = hashlib.sha256(f"{lines}\0{rows}".encode()).hexdigest()[:16]
    folder = (root or _cache()) / digest
    if not folder.is_dir():
        _write(folder, {"queries.jsonl": lines, "qrels/test.tsv": f"query-id\tcorpus-id\tscore\n{rows}"})
    return folder


def _cache() -> Path:
    return user_cache() / "finetrieve" / "argilla-queries"


def _write(folder: Path, files: dict[str, str]) -> None:
    """Writes the files of a folder, which appears when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
    try:
        for name, text in files.items():
            (staging / name).parent.mkdir(exist_ok=True)
            (staging / name).write_text(text, encoding="utf-8")
        staging.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
