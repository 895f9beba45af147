"""Pairs as people have them: tables, BEIR folders, LlamaIndex's and NVIDIA's JSON, ragas' test sets, datasets on the Hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from finetrieve.core.errors import InputError
from finetrieve.core.paths import refuse_special_file
from finetrieve.corpus.parsing.tables import readable_rows
from finetrieve.corpus.sources.table_files import TABLE_SUFFIXES, files_fingerprint
from finetrieve.evaluation.beir_files import read_judgements, read_queries
from finetrieve.own_data.pair_rows import Label, PairColumns, find_pair_columns, labels_of_row
from finetrieve.own_data.settings import PairSettings


def read_pairs(settings: PairSettings) -> list[Label]:
    """Returns what a set of pairs says, in its order.

    Raises:
        InputError: It cannot be read, or nothing in it answers a query; with file and line where there is one.
    """
    labels = list(_hub_labels(settings) if settings.path is None else _labels(_path(settings), settings))
    if not labels:
        raise _no_rows(settings.path or settings.dataset)
    if not any(label.score > 0 for label in labels):
        raise InputError(f"No pairs in '{settings.path or settings.dataset}': no query in it has an answer with a score above 0.")
    return labels


def _no_rows(place: object) -> InputError:
    return InputError(
        f"No pairs in '{place}': it has no rows. A row has a query and what answers it, such as: "
        "query 'how do I begin?', positive 'Press the green button.'"
    )


def check_pairs(settings: PairSettings) -> None:
    """Checks all that can be found wrong in a set of pairs without the documents; of the Hub, nothing is fetched.

    Raises:
        InputError: As `read_pairs` does.
    """
    if settings.path is not None:
        read_pairs(settings)


def pairs_fingerprint(settings: PairSettings) -> str:
    """Returns a hash of the contents of a set's files, or of the dataset's commit on the Hub."""
    if settings.path is not None:
        return files_fingerprint(_files(_path(settings), settings))
    from finetrieve.corpus.sources.hub import hub_commit

    key = (str(settings.dataset), settings.config or "", settings.split, hub_commit(str(settings.dataset), settings.revision))
    return hashlib.sha256("\0".join(key).encode()).hexdigest()


def _path(settings: PairSettings) -> Path:
    path = Path(str(settings.path)).expanduser()
    refuse_special_file(path)
    if not path.exists():
        raise InputError(f"No such file or folder of pairs: '{settings.path}'. Give a table, a BEIR folder, or hf:OWNER/NAME.")
    if path.is_file() and path.suffix.lower() not in TABLE_SUFFIXES:
        known = ", ".join(TABLE_SUFFIXES)
        raise InputError(f"Cannot read '{path}' as pairs: expected a file that ends in {known}, or a folder.")
    return path


def _files(path: Path, settings: PairSettings) -> list[Path]:
    if not path.is_dir():
        return [path, *_corpus_tables(path)]
    if not (path / "queries.jsonl").is_file():
        return _tables_in(path)
    corpus = path / "corpus.jsonl"
    return [path / "queries.jsonl", _judgements_file(path, settings.split), *([corpus] if corpus.is_file() else [])]


def _labels(path: Path, settings: PairSettings) -> Iterator[Label]:
    if path.is_dir() and (path / "queries.jsonl").is_file():
        yield from _beir_labels(path, settings)
        return
    for file in _tables_in(path) if path.is_dir() else [path]:
        whole = _whole_json(file)
        if whole is not None and {"queries", "corpus", "relevant_docs"} <= whole.keys():
            yield from _llamaindex_labels(file, whole)
        elif whole is not None and {"corpus", "data"} <= whole.keys():
            yield from _nvidia_labels(file, whole, settings)
        else:
            yield from _table_labels(file, settings)


def _tables_in(folder: Path) -> list[Path]:
    tables = sorted(path for path in folder.iterdir() if path.suffix.lower() in TABLE_SUFFIXES and path.is_file())
    if not tables:
        known = ", ".join(TABLE_SUFFIXES)
        raise InputError(
            f"No pairs in the folder '{folder}': expected queries.jsonl with qrels/*.tsv, or files that end in {known}."
        )
    return tables


# Tables: one row for each query, or for each query and answer. ragas' test sets and NVIDIA's inline JSONL are such tables.


def _table_labels(path: Path, settings: PairSettings) -> Iterator[Label]:
    if path.stat().st_size == 0:
        raise _no_rows(path)
    columns: PairColumns | None = None
    for place, row in readable_rows(path):
        if columns is None or columns.query not in row:
            columns = find_pair_columns(list(row), settings, place)
        yield from labels_of_row(row, columns, place)


def _hub_labels(settings: PairSettings) -> Iterator[Label]:
    from finetrieve.corpus.sources.hub import HubSource, load_split

    name = str(settings.dataset)
    source = HubSource(dataset=name, config=settings.config, split=settings.split, revision=settings.revision)
    dataset = load_split(name, source)
    columns = find_pair_columns(list(dataset.column_names), settings, f"the dataset '{name}'")
    for number, row in enumerate(dataset, 1):
        yield from labels_of_row(row, columns, f"{name}, row {number}")


# BEIR folders.


def _beir_labels(folder: Path, settings: PairSettings) -> Iterator[Label]:
    queries = read_queries(folder / "queries.jsonl")
    texts = _beir_texts(folder / "corpus.jsonl")
    for row in read_judgements(_judgements_file(folder, settings.split)):
        if row.query not in queries:
            raise InputError(f"{row.place}: query '{row.query}' is not in queries.jsonl.")
        if texts is not None and row.document not in texts:
            raise InputError(f"{row.place}: document '{row.document}' is not in corpus.jsonl.")
        yield Label(queries[row.query], texts[row.document] if texts else "", row.document, float(row.score), row.place)


def _judgements_file(folder: Path, split: str) -> Path:
    """Returns the file of a split; a folder that has only one need not have it under this name."""
    files = {path.stem: path for path in sorted((folder / "qrels").glob("*.tsv"))}
    if not files:
        raise InputError(f"The pairs in '{folder}' have no qrels/*.tsv; expected lines of query id, document id, score.")
    if split not in files and len(files) > 1:
        raise InputError(f"The pairs in '{folder}' have no qrels/{split}.tsv. Name one of these as split: {', '.join(files)}.")
    return files.get(split) or next(iter(files.values()))


def _beir_texts(path: Path) -> dict[str, str] | None:
    """Returns document id -> text, or None where the folder has no corpus of its own."""
    if not path.is_file():
        return None
    return {str(row.get("_id", "")): str(row.get("text") or "") for _, row in readable_rows(path)}


# LlamaIndex's `EmbeddingQAFinetuneDataset`, and NVIDIA's file beside a folder with the corpus.


def _whole_json(path: Path) -> dict[str, Any] | None:
    """Returns a `.json` file that holds one object; None for any other, which is a table or no JSON."""
    if path.suffix.lower() != ".json":
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _llamaindex_labels(path: Path, found: Mapping[str, Any]) -> Iterator[Label]:
    queries, corpus, relevant = (found[key] for key in ("queries", "corpus", "relevant_docs"))
    if not all(isinstance(part, dict) for part in (queries, corpus, relevant)):
        raise InputError(f"{path}: 'queries', 'corpus' and 'relevant_docs' are to be objects by id, as LlamaIndex writes them.")
    for query, documents in relevant.items():
        place = f"{path}, query '{query}'"
        text = queries.get(query)
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{place}: 'queries' has no text for it.")
        for document in documents if isinstance(documents, list) else [documents]:
            if not isinstance(corpus.get(document), str):
                raise InputError(f"{place}: document '{document}' is not in 'corpus'.")
            yield Label(" ".join(text.split()), corpus[document], str(document), 1.0, place)


def _nvidia_labels(path: Path, found: Mapping[str, Any], settings: PairSettings) -> Iterator[Label]:
    texts = {
        str(row.get("id", row.get("_id"))): str(row.get("text", ""))
        for file in _corpus_tables(path)
        for _, row in readable_rows(file)
    }
    if not isinstance(found["data"], list):
        raise InputError(f"{path}: 'data' is a {type(found['data']).__name__}, expected a list of questions.")
    for number, row in enumerate(found["data"], 1):
        place = f"{path}, data item {number}"
        if not isinstance(row, dict):
            raise InputError(f"{place}: expected an object with 'question' and 'pos_doc', found a {type(row).__name__}.")
        for label in labels_of_row(row, find_pair_columns(list(row), settings, place), place):
            yield Label(label.query, texts.get(label.text, label.text), label.text, label.score, place)


def _corpus_tables(path: Path) -> list[Path]:
    """Returns the tables of the folders that a file of NVIDIA's names as its corpus, where they are on this machine."""
    found = _whole_json(path)
    corpus = found.get("corpus") if found is not None and "data" in found else None
    entries = corpus if isinstance(corpus, list) else [corpus]
    folders = [path.parent / str(entry["path"]) for entry in entries if isinstance(entry, dict) and entry.get("path")]
    return [
        table
        for folder in folders
        if folder.is_dir()
        for table in sorted(folder.iterdir())
        if table.suffix in (".parquet", ".jsonl")
    ]
