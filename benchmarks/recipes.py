"""What each recipe's queries are worth in training: the same chunks, number of steps, seed and evaluation, only other queries.

    python benchmarks/recipes.py [FOLDER ...] [--only NAME ...] [--max-steps N] [--seed N] [--save FILE]

Each FOLDER is a set in BEIR's layout; without any, those in the folder that FINETRIEVE_BENCH_DATA names. Every variant is the
product's own way from generation to evaluation, with other recipes or filters. Its questions are asked twice: as they are, and
as people type in haste (small letters, a misspelling, or keywords alone, drawn by a seed of their own).

A set whose queries.jsonl has a `negative_query` for each question holds an LLM's recorded answers (recipe `triplet`). They are
trained on too, in these ways: with the negatives that the LLM wrote, without any, and with mined chunks in their place, which
the joint loss learns as lists (2504.21015 doubts written negatives). Then half of the pages, by default, are held out of every
variant's training, and the questions are those that the LLM asked about them, over all chunks.

The difference to `rules` alone has the 95% interval of a paired bootstrap over the questions.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from bench_sets import WAYS, Corpus, bench_folders, corpus_of, evaluated, questions_of, split_of, task_of
from peers import cells_by_way, machine, paired_gap
from quality_tables import METRIC, aligned
from recorded_triplets import asked, folds_of, recorded

from finetrieve.app.config import DEFAULT_CONFIG, Config, load_config
from finetrieve.app.run_metadata import code_commit
from finetrieve.core import corpus as core_corpus
from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, DocumentEntry, GeneratedQuery, Pair, RankedChunk, embedded_text
from finetrieve.core.tables import to_rows, to_table
from finetrieve.core.text import normalise_query
from finetrieve.curation.curate import curate
from finetrieve.curation.noise import NoiseTransform
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.metrics import METRICS
from finetrieve.generation.generate import generate

Row = dict[str, Any]
"""`set`, `name`, `n_pairs`, `n_mined`, `steps`, `seconds`, `machine`, `commit`, and by way of asking {arm: nDCG@10 of each
question}."""

RULES = {"name": "rules", "queries_per_chunk": 6}
LINKED = {"name": "linked_sections"}
FIRST = "rules"
"""The variant that the others are compared with."""
AS_ASKED, AS_TYPED = "as asked", "as typed"
TYPED_SEED = 99
"""Not the seed of the noise that is trained on."""
MINED, LIKE_THE_ANSWER = 4, 0.95
"""Mined chunks of a query, and the share of its own chunk's cosine from which another one may answer it too (NV-Retriever's
TopK-PercPos, 2407.15831)."""


@dataclass(frozen=True)
class Variant:
    """What is trained on."""

    recipes: Sequence[Mapping[str, Any]] = ()
    noise: bool = False
    recorded: Literal["", "written", "none", "mined"] = ""
    """Whether the recorded triplets are there too, and with which negatives."""


VARIANTS: dict[str, Variant] = {
    FIRST: Variant([RULES]),
    "rules, linked_sections": Variant([RULES, LINKED]),
    "rules, noise": Variant([RULES], noise=True),
    "rules, linked_sections, noise": Variant([RULES, LINKED], noise=True),
    "recorded": Variant(recorded="written"),
    "rules, recorded": Variant([RULES], recorded="written"),
    "recorded, no negatives": Variant(recorded="none"),
    "recorded, mined negatives": Variant(recorded="mined"),
}


@dataclass(frozen=True)
class Bench:
    """A set: what can be trained on and what is asked."""

    name: str
    corpus: Corpus
    trainable: frozenset[str]
    """The ids of the chunks that may be trained on."""
    questions: EvalSet
    recorded: Sequence[GeneratedQuery]


def main() -> None:
    """Prints two tables per set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help=f"beside '{FIRST}'")
    parser.add_argument("--max-steps", type=int, default=36, help="of every training, however few its pairs are")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--folds", type=int, default=2, help="of a set with recorded answers one part of so many is held out")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write everything as JSON, and go on from what is there")
    given = parser.parse_args()
    asked_for = {"max_steps": given.max_steps, "seed": given.seed, "folds": given.folds}
    rows = saved_rows(given.save, asked_for) if given.save else []
    for folder in bench_folders(given.folders):
        with tempfile.TemporaryDirectory(prefix="finetrieve-recipes-") as scratch:
            bench = bench_of(folder, config_of(folder, VARIANTS[FIRST], given.max_steps, given.seed), given.folds, Path(scratch))
            for name, variant in VARIANTS.items():
                wanted = (name == FIRST or name in given.only) and (not variant.recorded or bench.recorded)
                if not wanted or any((row["set"], row["name"]) == (bench.name, name) for row in rows):
                    continue
                config = config_of(folder, variant, given.max_steps, given.seed)
                rows.append(measured(bench, name, config, Path(scratch) / name))
                if given.save:
                    found = [row | {"against_rules": gaps_of(row, rows, given.seed)} for row in rows]
                    given.save.write_text(json.dumps({**asked_for, "rows": found}, indent=1) + "\n", encoding="utf-8")
            own = [row for row in rows if row["set"] == bench.name]
        for way in (AS_ASKED, AS_TYPED):
            print(f"\n{aligned(table_of(own, way, given.seed))}", flush=True)


def saved_rows(path: Path, asked_for: Mapping[str, int]) -> list[Row]:
    """Returns the rows of an earlier run that was cut off, or of one over other sets.

    Raises:
        SystemExit: The file is of a run with other settings.
    """
    if not path.is_file():
        return []
    found = json.loads(path.read_text(encoding="utf-8"))
    for name, value in asked_for.items():
        if found.get(name) != value:
            raise SystemExit(f"{path} is of a run with {name} {found.get(name)}, not {value}; give --save another file.")
    rows: list[Row] = found["rows"]
    return rows


# 1. What they train on and are asked.


def config_of(folder: Path, variant: Variant, max_steps: int, seed: int) -> Config:
    """Returns the default configuration with a variant's recipes and filters; all train for as many steps."""
    raw = load_config(DEFAULT_CONFIG, folder).model_dump(mode="json")
    raw["seed"] = seed
    raw["generation"]["recipes"] = list(variant.recipes)
    raw["filters"] += [{"name": "noise"}] if variant.noise else []
    raw["training"] |= {"max_steps": max_steps, "epochs": float(max_steps)}  # an epoch has a step at least
    raw["split"] |= {"test": 0.0}  # what is reported on is asked by others
    return Config.model_validate(raw)


def bench_of(folder: Path, config: Config, folds: int, scratch: Path) -> Bench:
    """Returns a set; of one with recorded answers a part of the pages is held out, and asked about.

    Raises:
        SystemExit: Nobody asked about the folder.
    """
    if not has_recorded_answers(folder):
        task = task_of(folder, scratch / "sets")
        corpus = corpus_of(task.docs, config.chunks, config.training.base_model)
        questions = questions_of(task, corpus, config)
        if questions is None:
            raise SystemExit(f"{folder} has no questions: expected a folder in BEIR's layout.")
        return Bench(task.name, corpus, frozenset(chunk.id for chunk in corpus.chunks), questions, [])
    chunks, triplets = recorded(folder)
    fold_of = folds_of(chunks, folds)
    held_out = asked(triplets, fold_of, 0)
    queries = {f"q{number}": text for number, text in enumerate(held_out.texts)}
    qrels = dict(zip(queries, held_out.relevant, strict=True))
    name = folder.resolve().name
    documents = [DocumentEntry(chunk.doc_id, chunk.title, chunk.source, chunk.source) for chunk in chunks]
    return Bench(
        name=name,
        corpus=Corpus(chunks, documents, []),
        trainable=frozenset(chunk.id for chunk in chunks if fold_of[chunk.id] != 0),
        questions=EvalSet(name, "generated", queries, qrels, "chunk", chunks, len(documents)),
        recorded=triplets,
    )


def has_recorded_answers(folder: Path) -> bool:
    """Whether the questions of a set were written by an LLM that wrote a negative with each of them."""
    path = folder / "queries.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return bool(lines) and all("negative_query" in json.loads(line) for line in lines if line.strip())


def pairs_for(bench: Bench, variant: Variant, config: Config, scratch: Path) -> list[Pair]:
    """Returns a variant's pairs, generated, filtered and split; none asks a question of the set or is about held-out chunks."""
    table = to_table(bench.corpus.chunks, Chunk)
    made = to_rows(generate(table, config.generation, config.seed, scratch / "generation").queries, GeneratedQuery)
    rows = to_table([*made, *(bench.recorded if variant.recorded else [])], GeneratedQuery)
    kept = curate(rows, core_corpus.Corpus(table), config.filters, config.training.base_model).queries
    questions = {normalise_query(text) for text in bench.questions.queries.values()}
    usable = [
        row
        for row in to_rows(kept, GeneratedQuery)
        if bench.trainable.issuperset(row.chunk_ids) and normalise_query(row.query) not in questions
    ]
    pairs = split_of(usable, bench.corpus, config, None)
    return pairs if variant.recorded == "written" else [replace(pair, negative_query=None) for pair in pairs]


def mined_for(bench: Bench, pairs: Sequence[Pair], config: Config, scratch: Path) -> list[RankedChunk]:
    """Returns the chunks that the base model takes for answers of training queries, each list after the query's own chunk."""
    from finetrieve.retrieval.vector_cache import CachedEmbedder

    chunks = [chunk for chunk in bench.corpus.chunks if chunk.id in bench.trainable]
    used = [pair for pair in pairs if pair.split == "train"]
    model = CachedEmbedder(config.training.base_model, folder=scratch / "vectors")
    vectors = model.embed([embedded_text(chunk) for chunk in chunks], "document")
    return mined(used, [chunk.id for chunk in chunks], model.embed([pair.query for pair in used], "query") @ vectors.T)


def mined(pairs: Sequence[Pair], chunk_ids: Sequence[str], cosines: npt.NDArray[np.float32]) -> list[RankedChunk]:
    """Returns a list of each query's own chunk, which is the whole answer, and of those next to it that are not.

    Args:
        pairs: Queries with their chunks.
        chunk_ids: Of the corpus, by column.
        cosines: Of queries and chunks, `(n_pairs, n_chunks)`.
    """
    column, answers = {name: place for place, name in enumerate(chunk_ids)}, dict[str, set[str]]()
    for pair in pairs:
        answers.setdefault(normalise_query(pair.query), set()).add(pair.chunk_id)
    found = list[RankedChunk]()
    for pair, row in zip(pairs, cosines, strict=True):
        limit, own = LIKE_THE_ANSWER * row[column[pair.chunk_id]], answers[normalise_query(pair.query)]
        near = (chunk_ids[place] for place in np.argsort(-row, kind="stable") if row[place] < limit)
        wrong = [name for name in near if name not in own][:MINED]
        listed = [(pair.chunk_id, 1.0), *((name, 0.0) for name in wrong)]
        # A query with two answers has a list with each of them: the source tells the lists apart.
        found += [RankedChunk(pair.query, name, share, pair.chunk_id, "mined") for name, share in listed if wrong]
    return found


def as_typed(questions: EvalSet, seed: int = TYPED_SEED) -> EvalSet:
    """Returns the same questions as people type them in haste: small letters, a misspelling, or keywords alone."""
    noise = NoiseTransform(share=1.0, kinds={"lower_case": 1, "misspelled": 1, "keywords": 1}, seed=seed)
    rows = [GeneratedQuery(name, name, text, None, "", "", "") for name, text in questions.queries.items()]
    changed = noise.rewrite(rows)
    typed = {row.id: changed[row.id].query if row.id in changed else row.query for row in rows}
    return replace(questions, name=f"{questions.name}, {AS_TYPED}", queries=typed)


# 2. The trainings and what they gave.


def measured(bench: Bench, name: str, config: Config, scratch: Path) -> Row:
    """Trains a variant and returns its row."""
    from finetrieve.training.train import train_model

    variant, base = VARIANTS[name], config.training.base_model
    pairs = pairs_for(bench, variant, config, scratch)
    lists = mined_for(bench, pairs, config, scratch) if variant.recorded == "mined" else []
    started, out = time.monotonic(), scratch / "model"
    record = train_model(
        pairs, bench.corpus.chunks, config.training, base, out, scratch / "checkpoints", config.seed, None, lists
    ).record
    row: Row = {"set": bench.name, "name": name, "n_pairs": record.n_pairs, "n_mined": record.n_ranking_lists}
    row |= {"steps": record.steps, "seconds": round(time.monotonic() - started, 1), "machine": machine(), "commit": code_commit()}
    for asking, questions in ((AS_ASKED, bench.questions), (AS_TYPED, as_typed(bench.questions))):
        found = evaluated(questions, out, config, scratch.parent / "vectors").scored[0].arms
        row[asking] = {arm: values[:, METRICS.index(METRIC)].tolist() for arm, values in found.items()}
    shown = ", ".join(f"{way} {mean:.3f}" for way, mean in means_of(row, AS_ASKED, WAYS).items())
    print(f"{bench.name}, {name}: {record.n_pairs} pairs, {shown}, {row['seconds']:,.0f} s", file=sys.stderr, flush=True)
    return row


def means_of(row: Row, asking: str, arms: Mapping[str, str]) -> dict[str, float]:
    """Returns way of searching -> nDCG@10."""
    return {way: float(np.mean(row[asking][arm])) for way, arm in arms.items()}


def gaps_of(row: Row, rows: Sequence[Row], seed: int) -> dict[str, dict[str, dict[str, float]]]:
    """Returns way of asking -> way of searching -> how far a row is from the first variant of its set; of that one nothing."""
    first = next(other for other in rows if (other["set"], other["name"]) == (row["set"], FIRST))
    if row is first:
        return {}
    return {
        asking: {way: paired_gap(np.asarray(row[asking][arm]), np.asarray(first[asking][arm]), seed) for way, arm in WAYS.items()}
        for asking in (AS_ASKED, AS_TYPED)
    }


def table_of(rows: Sequence[Row], asking: str, seed: int) -> list[list[str]]:
    """Returns the table of one set and way of asking: after each score how far it is from the first variant's, in points."""
    untrained = means_of(rows[0], asking, {way: arm.replace("finetuned", "base") for way, arm in WAYS.items()})
    table = [
        [f"{rows[0]['set']}, {asking}", "pairs", *(cell for way in WAYS for cell in (way, f"- {FIRST}"))],
        ["untrained", "-", *(cell for mean in untrained.values() for cell in (f"{mean:.3f}", "-"))],
    ]
    first = next(row for row in rows if row["name"] == FIRST)
    for row in rows:
        cells = cells_by_way(row[asking], None if row is first else first[asking], seed)
        table.append([row["name"], f"{row['n_pairs']:,}", *cells])
    return table


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        raise SystemExit(str(error)) from None
