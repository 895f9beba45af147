"""What gpt-4o's recorded triplets and the rules' queries for the same chunks are worth in training, side by side.

`python benchmarks/recorded_triplets.py RECORDED [--pages FOLDER] [--folds 3]`: RECORDED has BEIR's layout, with `negative_query`
in its queries. FOLDER is plain documentation with people's questions beside it, as `bench_sets.py` finds them.

Every row trains on the same passages, none of which the test questions of its fold are about; pages and their near copies stay
in one fold, and so do all answers to one query. Three tests, since a test made like one side's training favours that side:

- recorded: gpt-4o's questions about the held-out passages. Made like the recorded training queries.
- rules: the rules' questions about the held-out passages. Made like the rules' training queries.
- human: 14 questions that people wrote, over the pages that answer them and a sample of the others. Made like neither, and far
  too few for a verdict.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench_sets import questions_about

from finetrieve.app.config import DEFAULT_CONFIG, load_config
from finetrieve.core.corpus import Corpus
from finetrieve.core.rows import Chunk, Document, GeneratedQuery, Pair, embedded_text
from finetrieve.core.tables import to_rows, to_table
from finetrieve.core.text import normalise_query
from finetrieve.corpus.chunking import build_chunks
from finetrieve.corpus.deduplication import near_duplicate_documents
from finetrieve.corpus.sources.registry import read_source, source_from_path
from finetrieve.curation.curate import curate
from finetrieve.evaluation.bootstrap import difference, interval, resampled_means
from finetrieve.evaluation.metrics import HEADLINE, METRICS, Scores, relevance_of, score_queries
from finetrieve.generation.generate import generate
from finetrieve.generation.recipes.rules_recipe import RulesRecipe
from finetrieve.generation.settings import GenerationSettings
from finetrieve.retrieval.base_model import load_tokenizer
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.encoder import encode, load_encoder
from finetrieve.training.settings import TrainingSettings
from finetrieve.training.train import train_model

NOT_PAGES = ("DATA.md", "how-do-i.md", "faq.md")
"""The last two hold most of the human questions."""
HUMAN_CHUNKS = 1500
"""The human questions are searched among so many: encoding the whole documentation for every row takes longer than training."""
COLUMN = METRICS.index(HEADLINE)
SAMPLES = 10_000

Trainer = Callable[[Sequence[GeneratedQuery], Sequence[Chunk], Path, int], Any]
"""Takes what to train on, the corpus, a directory and a seed; returns an encoder."""


@dataclass(frozen=True)
class Questions:
    """What is asked of a corpus, and what answers it."""

    texts: list[str]
    relevant: list[dict[str, int]]
    """Per question, the units that answer it."""
    corpus: list[Chunk]
    by_document: bool


# 1. The data.


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


def by_rules(chunks: list[Chunk], scratch: Path) -> list[GeneratedQuery]:
    """Returns the rules' queries for the chunks."""
    settings = GenerationSettings(recipes=[RulesRecipe()])
    return to_rows(generate(to_table(chunks, Chunk), settings, 0, scratch).queries, GeneratedQuery)


def curated(triplets: Sequence[GeneratedQuery], chunks: Sequence[Chunk]) -> list[GeneratedQuery]:
    """Returns the triplets that pass the default configuration's filters."""
    made = to_table(triplets, GeneratedQuery)
    return to_rows(curate(made, Corpus.from_rows(chunks), load_config(DEFAULT_CONFIG).filters).queries, GeneratedQuery)


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


def human_questions(pages: Path | None, scratch: Path) -> Questions | None:
    """Returns people's questions with the pages that answer them, over the documentation cut as a run would cut it."""
    asked_of_pages = questions_about(pages) if pages is not None else None
    if pages is None or asked_of_pages is None:
        return None
    docs = scratch / "pages"
    shutil.copytree(pages, docs, ignore=shutil.ignore_patterns(*NOT_PAGES))
    config = load_config(DEFAULT_CONFIG)
    corpus = build_chunks(read_source(source_from_path(docs)).documents, config.chunks, load_tokenizer("embedded")).chunks
    known = {chunk.doc_id for chunk in corpus}
    rows = [row for row in _lines(asked_of_pages) if row["page"] in known]
    answering = {row["page"] for row in rows}
    others = sorted(known - answering)
    random.Random(0).shuffle(others)
    order = {page: place for place, page in enumerate([*sorted(answering), *others])}
    searched = sorted(corpus, key=lambda chunk: order[chunk.doc_id])[:HUMAN_CHUNKS]
    return Questions([row["text"] for row in rows], [{row["page"]: 1} for row in rows], searched, True)


# 2. Training.


def ours(triplets: Sequence[GeneratedQuery], chunks: Sequence[Chunk], directory: Path, seed: int) -> Any:
    """Returns an encoder trained as `finetune` trains; without dev queries, every row keeps the same share of the base."""
    pairs = [Pair(row.query, row.chunk_id, "train", "generated", row.style) for row in triplets]
    result = train_model(pairs, chunks, TrainingSettings(), "embedded", directory / "model", directory / "checkpoints", seed)
    return load_encoder(result.model_dir)


def guide(triplets: Sequence[GeneratedQuery], chunks: Sequence[Chunk], directory: Path, seed: int) -> Any:
    """Returns an encoder trained on (chunk, query, negative) with the ZenML guide's loss, epochs, batches and learning rate."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss

    texts = {chunk.id: embedded_text(chunk) for chunk in chunks}
    columns = {
        "anchor": [texts[row.chunk_id] for row in triplets],
        "positive": [row.query for row in triplets],
        "negative": [str(row.negative_query) for row in triplets],
    }
    model = load_encoder("embedded")
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(directory),
        num_train_epochs=4,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=16,
        learning_rate=2e-5,
        lr_scheduler_type="cosine",
        warmup_ratio=0.1,
        batch_sampler="no_duplicates",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=seed,
    )
    loss = MatryoshkaLoss(model, MultipleNegativesRankingLoss(model), matryoshka_dims=[384, 256, 128, 64])
    SentenceTransformerTrainer(model=model, args=arguments, train_dataset=Dataset.from_dict(columns), loss=loss).train()
    return model


# 3. Scores.


def scores(encoder: Any, questions: Questions, vectors: Any = None) -> Scores:
    """Returns the metrics per question `(n_questions, n_metrics)`; an encoder of None stands for BM25.

    `vectors` are the corpus's where they are known.
    """
    texts = [embedded_text(chunk) for chunk in questions.corpus]
    if encoder is None:
        found = Bm25(texts).scores(questions.texts)
    else:
        found = encode(encoder, questions.texts, role="query") @ (encode(encoder, texts) if vectors is None else vectors).T
    units = [chunk.doc_id if questions.by_document else chunk.id for chunk in questions.corpus]
    names = sorted(set(units), reverse=True)
    column = {name: place for place, name in enumerate(names)}
    best = np.full((len(questions.texts), len(names)), -np.inf, np.float32)
    for place, unit in enumerate(units):
        best[:, column[unit]] = np.maximum(best[:, column[unit]], found[:, place])
    return score_queries(best, relevance_of(questions.relevant, column))


def asked(triplets: Sequence[GeneratedQuery], chunks: list[Chunk], fold_of: dict[str, int], fold: int) -> Questions:
    """Returns a fold's questions over all chunks; what several chunks answer is one question, of its first chunk's fold."""
    wording: dict[str, str] = {}
    relevant: dict[str, dict[str, int]] = {}
    for row in triplets:
        key = normalise_query(row.query)
        wording.setdefault(key, row.query)
        relevant.setdefault(key, {})[row.chunk_id] = 1
    own = [key for key, answers in relevant.items() if fold_of[next(iter(answers))] == fold]
    return Questions([wording[key] for key in own], [relevant[key] for key in own], chunks, False)


@dataclass(frozen=True)
class Row:
    """A way to get a model: from which triplets, by which training."""

    name: str
    triplets: Sequence[GeneratedQuery]
    train: Trainer | None
    """None: nothing is trained, and without triplets either BM25 or the base model is meant."""


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recorded", type=Path, metavar="RECORDED", help="the triplets")
    parser.add_argument("--pages", type=Path, metavar="FOLDER", help="documentation that people asked about")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tests", nargs="+", choices=["recorded", "rules", "human"], default=["recorded", "rules", "human"])
    parser.add_argument("--only", nargs="+", metavar="ROW", help="rows of the table to make, beside the base model's")
    arguments = parser.parse_args()
    if not arguments.recorded.is_dir():
        parser.error(f"no folder {arguments.recorded}; expected recorded triplets in BEIR's layout")
    with tempfile.TemporaryDirectory(prefix="finetrieve-recorded-") as scratch:
        chunks, gpt = recorded(arguments.recorded)
        human = human_questions(arguments.pages, Path(scratch)) if "human" in arguments.tests else None
        compare(chunks, gpt, human, arguments.folds, arguments.seed, Path(scratch), arguments.tests, arguments.only)


def compare(
    chunks: list[Chunk],
    gpt: list[GeneratedQuery],
    human: Questions | None,
    folds: int,
    seed: int,
    scratch: Path,
    wanted: Sequence[str],
    only: Sequence[str] | None,
) -> None:
    """Trains every row in every fold and prints what each is worth."""
    # 1. Who trains on what.
    rules = by_rules(chunks, scratch / "rules")
    kept_gpt, kept_rules = curated(gpt, chunks), curated(rules, chunks)
    rows = [
        Row("base model", [], None),
        Row("BM25", [], None),
        Row("recorded, as-is", gpt, ours),
        Row("recorded, curated", kept_gpt, ours),
        Row("rules, curated", kept_rules, ours),
        Row("rules, curated, 1 per chunk", _first_per_chunk(kept_rules), ours),
        Row("recorded and rules, curated", [*kept_gpt, *kept_rules], ours),
        Row("recorded, as the guide trains", gpt, guide),
    ]
    if only:
        rows = [row for row in rows if row.name in {"base model", *only}]
    fold_of = folds_of(chunks, folds)
    print(f"{len(chunks)} passages in {folds} folds by page")
    print(f"{len(gpt)} recorded triplets, {len(kept_gpt)} pass the filters; {len(rules)} of the rules, {len(kept_rules)} pass")
    _warn_of_leaks(gpt, rules, human)

    # 2. Each row's scores per question, shown as soon as they are there.
    made: dict[str, Sequence[GeneratedQuery]] = {"recorded": gpt, "rules": kept_rules}
    tests = {name: triplets for name, triplets in made.items() if name in wanted}
    found: dict[str, dict[str, Scores]] = {}
    for row in rows:
        started = time.monotonic()
        found[row.name] = _scores_of(row, chunks, tests, fold_of, folds, human, seed, scratch)
        _show(row, found, time.monotonic() - started, seed)

    # 3. The two that the question is about.
    if not {"rules, curated", "recorded, as-is"} <= set(found):
        return
    for name in found["base model"]:
        delta = _delta(found["rules, curated"][name], found["recorded, as-is"][name], seed)
        print(f"rules, curated - recorded, as-is on {name}: {delta}")


def _scores_of(
    row: Row,
    chunks: list[Chunk],
    tests: dict[str, Sequence[GeneratedQuery]],
    fold_of: dict[str, int],
    folds: int,
    human: Questions | None,
    seed: int,
    scratch: Path,
) -> dict[str, Scores]:
    parts: dict[str, list[Scores]] = {name: [] for name in tests}
    for fold in range(folds):
        questions = {name: asked(triplets, chunks, fold_of, fold) for name, triplets in tests.items()}
        held_out = {normalise_query(text) for part in questions.values() for text in part.texts}
        kept = [one for one in row.triplets if fold_of[one.chunk_id] != fold and normalise_query(one.query) not in held_out]
        encoder = _encoder(row, kept, chunks, scratch, seed)
        vectors = encode(encoder, [embedded_text(chunk) for chunk in chunks]) if encoder is not None else None
        for name, part in questions.items():
            parts[name].append(scores(encoder, part, vectors))
    whole = {name: np.concatenate(values) for name, values in parts.items()}
    if human is not None:
        whole["human"] = scores(_encoder(row, row.triplets, chunks, scratch, seed), human)
    return whole


def _encoder(row: Row, triplets: Sequence[GeneratedQuery], chunks: list[Chunk], scratch: Path, seed: int) -> Any:
    if row.train is None:
        return None if row.name == "BM25" else load_encoder("embedded")
    directory = Path(tempfile.mkdtemp(dir=scratch))
    return row.train(triplets, chunks, directory, seed)


def _first_per_chunk(triplets: Sequence[GeneratedQuery]) -> list[GeneratedQuery]:
    first: dict[str, GeneratedQuery] = {}
    for row in triplets:
        first.setdefault(row.chunk_id, row)
    return list(first.values())


def _warn_of_leaks(gpt: Sequence[GeneratedQuery], rules: Sequence[GeneratedQuery], human: Questions | None) -> None:
    people = {normalise_query(text) for text in human.texts} if human else set()
    trained = {normalise_query(row.query) for row in [*gpt, *rules]}
    if people & trained:
        raise SystemExit(f"a human question is trained on: {sorted(people & trained)}")


def _show(row: Row, found: dict[str, dict[str, Scores]], seconds: float, seed: int) -> None:
    own, base = found[row.name], found.get("base model")
    if len(found) == 1:
        names = "".join(f"{f'{name} ({len(values)})':>22}{'- base':>26}" for name, values in own.items())
        print(f"\n{HEADLINE:32}{'queries':>8}{names}{'s':>6}")
    cells = "".join(_cells(values, base[name] if base and base is not own else None, seed) for name, values in own.items())
    print(f"{row.name:32}{len(row.triplets) or '-':>8}{cells}{seconds:6.0f}", flush=True)


def _cells(values: Scores, base: Scores | None, seed: int) -> str:
    own = values[:, [COLUMN]]
    mean = interval(own[:, 0], resampled_means(own, SAMPLES, seed)[:, 0])
    shown = f"{mean.value:.3f} [{mean.low:.2f}, {mean.high:.2f}]"
    return f"{shown:>22}{_delta(values, base, seed) if base is not None else '':>26}"


def _delta(values: Scores, against: Scores, seed: int) -> str:
    both = np.stack([values[:, COLUMN], against[:, COLUMN]], axis=1)
    means = resampled_means(both, SAMPLES, seed)
    found = difference(both[:, 0], both[:, 1], means[:, 0], means[:, 1])
    return f"{found.delta:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


if __name__ == "__main__":
    main()
