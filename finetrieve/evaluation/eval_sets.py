"""Evaluation sets: questions with the documents or chunks that answer them.

The reading and checking half imports nothing heavy: the command line runs it before any work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from finetrieve.core.errors import InputError
from finetrieve.core.paths import refuse_special_file
from finetrieve.core.rows import Chunk, DuplicateChunk
from finetrieve.evaluation.beir_files import Qrels, check_known, collect, read_judgements, read_queries
from finetrieve.evaluation.question_files import Judgement, QuestionFile, is_question_file, read_question_file, resolve_pages
from finetrieve.evaluation.settings import EvalSetSettings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from finetrieve.corpus.settings import ChunkSettings

DEV = "dev"
TEST = "test"
TRAIN = "train"


@dataclass(frozen=True)
class EvalSet:
    """Questions, what answers them, and the chunks that are searched."""

    name: str
    kind: Literal["human", "generated"]
    queries: dict[str, str]
    """Query id -> text; each has at least one relevant unit."""
    qrels: Qrels
    unit: Literal["document", "chunk"]
    """What the judgements name; a document scores by its chunks (`finetrieve.retrieval.units`)."""
    chunks: list[Chunk]
    n_documents: int
    other_units: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Chunk id -> further units that are found through it: the documents of its duplicates, which the corpus left out."""
    dev: EvalSet | None = None
    """The set's own dev questions, where it has some: the hybrid's fusion may be chosen on them."""
    notes: tuple[str, ...] = ()
    """What was left out, in words."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Query id -> how often it is asked; empty where the set does not say."""
    unanswerable: Mapping[str, str] = field(default_factory=dict)
    """Query id -> text, of questions that no document answers; they are not in `queries`."""

    def units_of(self, chunk: Chunk) -> tuple[str, ...]:
        """Returns the ids of the units that are found through a chunk, its own first."""
        own = chunk.doc_id if self.unit == "document" else chunk.id
        return (own, *(unit for unit in self.other_units.get(chunk.id, ()) if unit != own))


# 1. Reading a file of questions, or a folder in BEIR's layout.


def check_eval_set(settings: EvalSetSettings, document_ids: Iterable[str]) -> None:
    """Reads a human evaluation set without loading anything heavy.

    Args:
        settings: Where it is.
        document_ids: The pipeline's documents, which the set asks about when it has no `corpus.jsonl`.

    Raises:
        InputError: A file is missing, empty or malformed, or the judgements name queries or documents that do not exist.
    """
    corpus = _corpus_file(settings)
    if corpus is not None:
        from finetrieve.corpus.sources.registry import check_source, source_from_path

        document_ids = check_source(source_from_path(corpus))
    known = set(document_ids)
    _read_split(settings, _chosen_splits(settings)[0], known)
    if _has_own_dev(settings):
        _read_split(settings, [DEV], known)


def fingerprint(settings: EvalSetSettings) -> str:
    """Returns the sha256 of everything that the set's files say; touching a file does not change it."""
    digest = hashlib.sha256(f"{settings.label}\0{settings.split}\0".encode())
    for path in _files(settings):
        if path is not None:
            digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()


def read_questions(settings: EvalSetSettings) -> dict[str, str]:
    """Returns all questions of a set, of every split, by query id: none of them may be trained on.

    Raises:
        InputError: There is no file of questions, or it is malformed.
    """
    if is_question_file(settings.path):
        return read_question_file(settings.path).queries
    return read_queries(_file(settings, "queries.jsonl"))


def _question_file(settings: EvalSetSettings) -> QuestionFile:
    """Returns what a file of questions says; of a BEIR folder, an empty one."""
    return read_question_file(settings.path) if is_question_file(settings.path) else QuestionFile({}, {})


def read_dev_judgements(settings: EvalSetSettings, document_ids: Iterable[str]) -> Qrels:
    """Returns the judgements of the set's own dev questions, about these documents; none where it has no such questions."""
    return collect(_judgements(settings, [DEV], set(document_ids), refuse=False)) if _has_own_dev(settings) else {}


def _has_own_dev(settings: EvalSetSettings) -> bool:
    """Whether the set has dev questions that are not those to evaluate on."""
    splits = _splits(settings)
    return DEV in splits and settings.split != DEV and len(splits) > 1


def _splits(settings: EvalSetSettings) -> list[str]:
    if is_question_file(settings.path):
        return list(read_question_file(settings.path).judgements)
    _file(settings, "queries.jsonl")
    return [path.stem for path in _qrels_files(settings)]


def _judgements(settings: EvalSetSettings, splits: Iterable[str], documents: set[str], *, refuse: bool) -> list[Judgement]:
    """Returns the judgements of some splits; `refuse` says whether a file may name no page that is unknown."""
    if is_question_file(settings.path):
        content = read_question_file(settings.path)
        rows = [row for split in splits for row in content.judgements[split]]
        return resolve_pages(rows, documents, content.queries, refuse=refuse)
    return [row for split in splits for row in read_judgements(settings.path / "qrels" / f"{split}.tsv")]


def _files(settings: EvalSetSettings) -> list[Path | None]:
    if is_question_file(settings.path):
        return [settings.path]
    return [_file(settings, "queries.jsonl"), *_qrels_files(settings), _corpus_file(settings)]


def _file(settings: EvalSetSettings, name: str) -> Path:
    if not settings.path.is_dir():
        refuse_special_file(settings.path)
        problem = "is a file of another kind" if settings.path.exists() else "does not exist"
        raise InputError(
            f"Evaluation set '{settings.path}' {problem}; give a CSV (as a spreadsheet exports it) or JSONL file with the "
            "columns question and page, or a folder with queries.jsonl and qrels/*.tsv."
        )
    path = settings.path / name
    if not path.is_file():
        raise InputError(f"Evaluation set '{settings.path}' has no {name}; expected queries.jsonl and qrels/*.tsv.")
    return path


def has_own_corpus(settings: EvalSetSettings) -> bool:
    """Returns whether a set brings the documents that it asks about."""
    return _corpus_file(settings) is not None


def _corpus_file(settings: EvalSetSettings) -> Path | None:
    path = settings.path / "corpus.jsonl"
    return path if path.is_file() else None


def _qrels_files(settings: EvalSetSettings) -> list[Path]:
    files = sorted((settings.path / "qrels").glob("*.tsv"))
    if not files:
        raise InputError(f"Evaluation set '{settings.path}' has no qrels/*.tsv; expected lines of query id, document id, score.")
    return files


def _chosen_splits(settings: EvalSetSettings) -> tuple[list[str], list[str]]:
    """Returns the splits to evaluate on, with a note where that is not what one would expect."""
    splits = _splits(settings)
    if settings.split is not None:
        if settings.split not in splits:
            wanted = f"split '{settings.split}'" if is_question_file(settings.path) else f"qrels/{settings.split}.tsv"
            raise InputError(f"Evaluation set '{settings.path}' has no {wanted}. Choose one of: {', '.join(splits)}.")
        return [settings.split], []
    if splits == [TRAIN]:
        raise InputError(
            f"Evaluation set '{settings.path}' has judgements to train on only (split 'train'), and none to test with. Rename "
            "qrels/train.tsv to test.tsv, or set 'split: train' of this set, if these questions are to be tested with."
        )
    if TEST in splits or len(splits) == 1:
        return [TEST if TEST in splits else splits[0]], []
    return splits, [f"No split 'test': all of {', '.join(splits)} are used together."]


def _read_split(
    settings: EvalSetSettings, splits: Sequence[str], documents: set[str], *, refuse: bool = True
) -> tuple[dict[str, str], Qrels, list[str]]:
    """Returns the queries that have a relevant document, the judgements, and notes on what was left out.

    Args:
        settings: Where the set is.
        splits: Whose judgements.
        documents: The ids of those that exist.
        refuse: Whether judgements may name no other ones; else that was checked before.
    """
    unanswerable = _question_file(settings).unanswerable
    queries = {query: text for query, text in read_questions(settings).items() if query not in unanswerable}
    judgements = _judgements(settings, splits, documents, refuse=refuse and not settings.skip_unknown)
    notes = []
    if settings.skip_unknown:
        known = [row for row in judgements if row.query in queries and row.document in documents]
        if len(known) < len(judgements):
            left = f"{len(judgements) - len(known):,} of {len(judgements):,} judgements"
            notes.append(f"{left} name queries or documents that do not exist, and are left out.")
        judgements = known
    where = "corpus.jsonl" if _corpus_file(settings) is not None else "the documents"
    check_known("query", "queries.jsonl", [(row.query, row.place) for row in judgements], queries)
    if refuse:
        check_known("document", where, [(row.document, row.place) for row in judgements], documents)
    qrels = collect(judgements)
    judged = {query: text for query, text in queries.items() if any(score > 0 for score in qrels.get(query, {}).values())}
    if not judged:
        raise InputError(f"Evaluation set '{settings.path}': no query has a relevant document (a score of 1 or more).")
    return (
        judged,
        {query: qrels[query] for query in judged},
        [
            *notes,
            *_left_out(settings, splits, queries, judged, documents),
        ],
    )


def _left_out(
    settings: EvalSetSettings, splits: Sequence[str], queries: Mapping[str, str], judged: Collection[str], documents: set[str]
) -> list[str]:
    """Returns which questions are not scored, and why: they belong to another split, or nothing answers them."""
    waiting, notes = set(queries) - set(judged), list[str]()
    for split in _splits(settings):
        rows = [] if split in splits else _judgements(settings, [split], documents, refuse=False)
        theirs = waiting & {row.query for row in rows if row.score > 0}
        waiting -= theirs
        what = "dev questions of this set: they choose, and are not scored" if split == DEV else f"of split '{split}', not scored"
        notes += [f"{len(theirs):,} of {len(queries):,} queries are {what}."] if theirs else []
    none = f"{len(waiting):,} of {len(queries):,} queries have no relevant document in this split and are left out."
    return [*notes, *([none] if waiting else [])]


# 2. Building the sets that are searched.


def load_eval_set(
    settings: EvalSetSettings,
    chunks: Sequence[Chunk],
    duplicates: Sequence[DuplicateChunk],
    document_ids: Iterable[str],
    chunk_settings: ChunkSettings,
    tokenizer: Tokenizer,
    *,
    checked: bool = False,
) -> EvalSet:
    """Returns a human evaluation set with the chunks to search.

    Args:
        settings: Where it is.
        chunks: The pipeline's chunks, searched when the set has no `corpus.jsonl`.
        duplicates: Chunks that the pipeline's corpus left out.
        document_ids: The pipeline's documents.
        chunk_settings: How the set's own corpus is cut, as the pipeline's is.
        tokenizer: Measures the chunks.
        checked: Whether `check_eval_set` read the set before the run, with all that the source names: then a document that is
            not among the pipeline's turned out to have no text, and cannot be found.

    Raises:
        InputError: As `check_eval_set` does.
    """
    corpus = _corpus_file(settings)
    if corpus is not None:
        chunks, duplicates, document_ids = _own_corpus(corpus, chunk_settings, tokenizer)
    documents = set(document_ids)
    splits, notes = _chosen_splits(settings)
    refuse = corpus is not None or not checked
    queries, qrels, left_out = _read_split(settings, splits, documents, refuse=refuse)
    findable = {chunk.doc_id for chunk in chunks} | {duplicate.doc_id for duplicate in duplicates}
    relevant = {document for judged in qrels.values() for document, score in judged.items() if score > 0}
    extras = _question_file(settings)
    lost = sorted(relevant - findable)
    if lost:
        named = ", ".join(lost[:3]) + (", ..." if len(lost) > 3 else "")
        left_out.append(f"{len(lost):,} relevant documents have no text and cannot be found, by any arm: {named}.")
    return EvalSet(
        name=settings.label,
        kind="human",
        queries=queries,
        qrels=qrels,
        unit="document",
        chunks=list(chunks),
        n_documents=len(documents),
        other_units=other_documents(duplicates),
        dev=_own_dev(settings, splits, chunks, duplicates, documents, refuse),
        notes=(*notes, *left_out),
        weights={query: weight for query, weight in extras.weights.items() if query in queries},
        unanswerable=extras.unanswerable,
    )


def _own_corpus(path: Path, settings: ChunkSettings, tokenizer: Tokenizer) -> tuple[list[Chunk], list[DuplicateChunk], list[str]]:
    from finetrieve.corpus.chunking import build_chunks
    from finetrieve.corpus.sources.registry import check_source, read_source, source_from_path

    source = source_from_path(path)
    documents = read_source(source).documents
    result = build_chunks(documents, settings, tokenizer)
    return result.chunks, result.duplicate_chunks(), check_source(source)  # with the ids of rows that have no text


def _own_dev(
    settings: EvalSetSettings,
    used: Sequence[str],
    chunks: Sequence[Chunk],
    duplicates: Sequence[DuplicateChunk],
    documents: set[str],
    refuse: bool,
) -> EvalSet | None:
    """Returns the set of the dev questions, unless they are what we evaluate on."""
    if DEV in used or DEV not in _splits(settings):
        return None
    queries, qrels, _ = _read_split(settings, [DEV], documents, refuse=refuse)
    others = other_documents(duplicates)
    return EvalSet(f"{settings.label} dev", "human", queries, qrels, "document", list(chunks), len(documents), others)


def other_documents(duplicates: Iterable[DuplicateChunk]) -> dict[str, tuple[str, ...]]:
    """Returns kept chunk id -> the documents whose chunks were left out in its favour."""
    ordered = sorted((duplicate.kept_chunk_id, duplicate.doc_id) for duplicate in duplicates)
    return {kept: tuple(dict.fromkeys(doc for _, doc in rows)) for kept, rows in groupby(ordered, key=lambda row: row[0])}
