"""The sets that the quality benchmarks run on, and what the product makes of them with its own functions.

A set is a folder: in BEIR's layout (corpus.jsonl, queries.jsonl, qrels/), or plain documentation. Plain documentation `NAME...`
beside a folder `NAME-human`, whose queries.jsonl names the `page` that answers each question, is asked these.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from finetrieve.app.config import Config
    from finetrieve.core.rows import Chunk, DocumentEntry, DuplicateChunk, GeneratedQuery, Pair
    from finetrieve.corpus.settings import ChunkSettings
    from finetrieve.evaluation.eval_sets import EvalSet
    from finetrieve.evaluation.evaluate import Evaluation

VARIABLE = "FINETRIEVE_BENCH_DATA"
"""Names a folder of sets, which are taken where none are given."""
_HUMAN = "-human"
_NOT_PAGES = ("DATA.md", "how-do-i.md", "faq.md")
"""Of plain documentation: a description, and two pages that hold the questions themselves."""
WAYS = {"dense": "finetuned", "late": "late_finetuned", "fused": "fused_finetuned"}
"""Way of searching -> its tuned arm."""


# 1. Which sets.


@dataclass(frozen=True)
class Task:
    """Documents, and the questions about them."""

    name: str
    docs: Path
    eval_set: Path | None
    """In BEIR's layout; None where nobody asked."""


def bench_folders(given: Sequence[Path], *, beir_only: bool = False) -> list[Path]:
    """Returns the folders that were given, or else those in the folder that FINETRIEVE_BENCH_DATA names.

    Raises:
        SystemExit: There are none.
    """
    if given:
        missing = [str(folder) for folder in given if not folder.is_dir()]
        if missing:
            raise SystemExit(f"No such folder: {', '.join(missing)}.")
        return list(given)
    place = os.environ.get(VARIABLE)
    if not place:
        raise SystemExit(f"Give FOLDERs in BEIR's layout, or set {VARIABLE} to a folder that holds some.")
    folders = sorted(folder for folder in Path(place).glob("*") if folder.is_dir() and not folder.name.startswith("."))
    beir = [folder for folder in folders if _is_beir(folder)]
    plain = [folder for folder in folders if questions_about(folder) is not None and folder not in beir]
    found = beir if beir_only else [*beir, *plain]
    if not found:
        raise SystemExit(f"{VARIABLE}={place} holds no folder in BEIR's layout.")
    return found


def _is_beir(folder: Path) -> bool:
    return (folder / "corpus.jsonl").is_file() and any((folder / "qrels").glob("*.tsv"))


def questions_about(folder: Path) -> Path | None:
    """Returns the queries.jsonl of the sibling `NAME-human`, where the folder's name begins with NAME."""
    siblings = (other for other in folder.resolve().parent.glob(f"*{_HUMAN}") if other.name != folder.name)
    about = (other / "queries.jsonl" for other in siblings if folder.name.startswith(other.name.removesuffix(_HUMAN)))
    return next((path for path in sorted(about) if path.is_file()), None)


def task_of(folder: Path, scratch: Path) -> Task:
    """Returns the task of a folder; questions about plain pages are written to `scratch` in BEIR's layout."""
    name = folder.resolve().name
    if _is_beir(folder):
        return Task(name, folder.resolve(), folder.resolve())
    questions = questions_about(folder)
    return Task(name, folder.resolve(), None) if questions is None else _pages_with_questions(folder, questions, scratch)


def _pages_with_questions(folder: Path, questions: Path, scratch: Path) -> Task:
    """Returns the pages without those that hold the questions themselves, and the questions as a BEIR folder."""
    docs, eval_set = scratch / folder.name, scratch / f"{folder.name}{_HUMAN}"
    shutil.copytree(folder, docs, ignore=shutil.ignore_patterns(*_NOT_PAGES))
    (eval_set / "qrels").mkdir(parents=True)
    rows = [json.loads(line) for line in questions.read_text(encoding="utf-8").splitlines() if line.strip()]
    known = [row for row in rows if (docs / row["page"]).is_file()]
    shutil.copy(questions, eval_set / "queries.jsonl")
    lines = ["query-id\tcorpus-id\tscore", *(f"{row['_id']}\t{row['page']}\t1" for row in known)]
    (eval_set / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Task(folder.name, docs, eval_set)


# 2. What the product makes of a set.


@dataclass(frozen=True)
class Corpus:
    """Documents, cut as the product cuts them."""

    chunks: list[Chunk]
    documents: list[DocumentEntry]
    duplicates: list[DuplicateChunk]


def corpus_of(docs: Path, settings: ChunkSettings, base_model: str) -> Corpus:
    """Returns the chunks of a folder, as the pipeline's first step does."""
    from finetrieve.core.rows import DocumentEntry
    from finetrieve.corpus.chunking import build_chunks
    from finetrieve.corpus.deduplication import near_duplicate_documents
    from finetrieve.corpus.sources.registry import read_source, source_from_path
    from finetrieve.retrieval.base_model import load_tokenizer

    documents = read_source(source_from_path(docs)).documents
    result = build_chunks(documents, settings, load_tokenizer(base_model))
    groups = near_duplicate_documents(documents)
    entries = [DocumentEntry(d.id, d.title, d.source, groups.get(d.id, d.id)) for d in documents]
    return Corpus(result.chunks, entries, result.duplicate_chunks())


def questions_of(task: Task, corpus: Corpus, config: Config) -> EvalSet | None:
    """Returns the task's questions over its chunks, or None where nobody asked."""
    from finetrieve.evaluation.eval_sets import load_eval_set
    from finetrieve.evaluation.settings import EvalSetSettings
    from finetrieve.retrieval.base_model import load_tokenizer

    if task.eval_set is None:
        return None
    qrels = [path.stem for path in (task.eval_set / "qrels").glob("*.tsv")]
    settings = EvalSetSettings(path=task.eval_set, name=task.name, split="train" if qrels == ["train"] else None)
    document_ids = [document.doc_id for document in corpus.documents]
    tokenizer = load_tokenizer(config.training.base_model)
    return load_eval_set(settings, corpus.chunks, corpus.duplicates, document_ids, config.chunks, tokenizer)


def pairs_of(task: Task, corpus: Corpus, config: Config, scratch: Path) -> list[Pair]:
    """Returns the pairs that a retrain on the task trains on: generated, filtered and split."""
    return split_of(queries_of(corpus, config, scratch), corpus, config, task.eval_set)


def queries_of(corpus: Corpus, config: Config, scratch: Path) -> list[GeneratedQuery]:
    """Returns the queries of a configuration for a corpus, generated and filtered."""
    from finetrieve.core import corpus as core_corpus
    from finetrieve.core.rows import Chunk, GeneratedQuery
    from finetrieve.core.tables import to_rows, to_table
    from finetrieve.curation.curate import curate
    from finetrieve.generation.generate import generate

    chunks = to_table(corpus.chunks, Chunk)
    made = generate(chunks, config.generation, config.seed, scratch / "generation").queries
    kept = curate(made, core_corpus.Corpus(chunks), config.filters, config.training.base_model).queries
    return to_rows(kept, GeneratedQuery)


def split_of(triplets: Sequence[GeneratedQuery], corpus: Corpus, config: Config, eval_set: Path | None) -> list[Pair]:
    """Returns the pairs on their sides, none of which asks what the evaluation set asks; its own dev questions besides."""
    from finetrieve.evaluation.dev_questions import human_dev_pairs
    from finetrieve.evaluation.eval_sets import read_questions
    from finetrieve.evaluation.settings import EvalSetSettings
    from finetrieve.training.split import split_pairs

    human = [EvalSetSettings(path=eval_set)] if eval_set is not None else []
    found = split_pairs(
        triplets,
        corpus.chunks,
        config.split,
        groups={document.doc_id: document.group for document in corpus.documents},
        human_eval=bool(human),
        held_out_queries={text for settings in human for text in read_questions(settings).values()},
    )
    return [*found.pairs, *human_dev_pairs(human, corpus.chunks)]


def evaluated(
    eval_set: EvalSet,
    model: Path | str,
    config: Config,
    vectors: Path,
    arms: Iterable[str] | None = None,
    dev: EvalSet | None = None,
) -> Evaluation:
    """Returns the product's evaluation of a model beside the base model on one set.

    Args:
        eval_set: What is asked.
        model: A directory, or a Hub id.
        config: Base model and evaluation settings; neither bill nor dimensions are measured.
        vectors: Where vectors are kept, so that none of the user's are replaced.
        arms: None takes the base's and the model's by one vector, by late interaction and fused.
        dev: Chooses the fusion where the set has no dev questions of its own.
    """
    from finetrieve.evaluation.evaluate import evaluate_models
    from finetrieve.retrieval.vector_cache import CachedEmbedder, Embedder

    wanted = list(arms or [arm for tuned in WAYS.values() for arm in (tuned.replace("finetuned", "base"), tuned)])
    settings = config.evaluation.model_copy(update={"arms": wanted, "bill": False, "dimensions": [], "headline_arm": "auto"})
    refs: Mapping[str, Any] = {"base": config.training.base_model, "finetuned": model}
    models: dict[str, Embedder] = {
        name: CachedEmbedder(ref, settings.batch_size, settings.precision, folder=vectors) for name, ref in refs.items()
    }
    return evaluate_models([eval_set], models, dev, settings, config.seed)
