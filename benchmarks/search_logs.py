"""What queries without answers are worth in training: one half of a set's questions as a log, the other as the test.

    python benchmarks/search_logs.py [FOLDER ...] [--max-steps N] [--seed N] [--save FILE]

Each FOLDER is a set in BEIR's layout; without any, those in the folder that FINETRIEVE_BENCH_DATA names. The questions are
halved by the documents that answer them, so what is tested asks about other documents than the log. Each half is the log of one
training and the test of the other. All models are trained on the rules' queries for all documents, those with a log on its
queries too, whose answers are not told: they are labelled by the untrained fused search, as `--queries` does it. Differences have
the 95% interval of a paired bootstrap over all questions.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from bench_sets import WAYS, Corpus, bench_folders, corpus_of, evaluated, queries_of, questions_of, task_of
from peers import cells_by_way, machine
from quality_tables import METRIC, aligned

from finetrieve.app.config import DEFAULT_CONFIG, Config, load_config
from finetrieve.app.run_metadata import code_commit
from finetrieve.core import corpus as core_corpus
from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, DocumentEntry, DuplicateChunk, GeneratedQuery, Pair, RankedChunk
from finetrieve.core.tables import to_table
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.metrics import METRICS
from finetrieve.generation.generation_state import response_cache_directory
from finetrieve.own_data.label_queries import label_own_queries
from finetrieve.own_data.mixing import split_with_own
from finetrieve.own_data.settings import QuerySettings

RULES, WITH_LOG = "rules", "rules, query log"

Row = dict[str, Any]
"""`set`, `name`, `n_pairs`, `n_lists`, `seconds` (sums over its trainings), `arms` (arm -> nDCG@10 of each tested question)."""


def main() -> None:
    """Prints a table per set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--max-steps", type=int, help="of every training")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--save", type=Path, metavar="FILE", help="write everything as JSON")
    given = parser.parse_args()
    rows = list[Row]()
    for folder in bench_folders(given.folders, beir_only=True):
        with tempfile.TemporaryDirectory(prefix="finetrieve-logs-") as scratch:
            rows += compared(folder, given.max_steps, given.seed, Path(scratch))
        print(f"\n{aligned(table_of([row for row in rows if row['set'] == folder.resolve().name], given.seed))}", flush=True)
        if given.save:
            facts = {"commit": code_commit(), "machine": machine(), "seed": given.seed, "rows": rows}
            given.save.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def compared(folder: Path, max_steps: int | None, seed: int, scratch: Path) -> list[Row]:
    """Returns the rows of a set: trained without the log and with it."""
    from finetrieve.training.train import train_model

    task = task_of(folder, scratch / "sets")
    raw = load_config(DEFAULT_CONFIG, task.docs).model_dump(mode="json") | {"seed": seed}
    raw["training"] |= {"max_steps": max_steps} if max_steps else {}
    raw["split"] |= {"test": 0.0}  # people's questions are the test
    config = Config.model_validate(raw)
    corpus = corpus_of(task.docs, config.chunks, config.training.base_model)
    questions = questions_of(task, corpus, config)
    assert questions is not None  # the folder is in BEIR's layout
    generated = queries_of(corpus, config, scratch)
    first, second = halved(questions)
    rows = list[Row]()
    # One training without a log is tested by both halves; with one there are two, each tested by the half that it has not seen.
    for name, trainings in ((RULES, [(None, (first, second))]), (WITH_LOG, [(second, (first,)), (first, (second,))])):
        row: Row = {"set": task.name, "name": name, "n_log": 0, "n_pairs": 0, "n_lists": 0, "seconds": 0.0}
        parts = list[dict[str, Any]]()
        for number, (log, tested) in enumerate(trainings):
            asked = tuple(log.queries.values()) if log else ()
            pairs, lists = trained_on(corpus, generated, asked, tested, config, scratch)
            started, out = time.monotonic(), scratch / f"{name} {number}" / "model"
            record = train_model(
                pairs, corpus.chunks, config.training, config.training.base_model, out, scratch / "checkpoints", seed, None, lists
            ).record
            row["seconds"] = round(row["seconds"] + time.monotonic() - started, 1)
            counts = {"n_log": len(asked), "n_pairs": record.n_pairs, "n_lists": record.n_ranking_lists}
            row |= {key: row[key] + count for key, count in counts.items()}
            parts += [evaluated(half, out, config, scratch / "vectors").scored[0].arms for half in tested]
        joined = {arm: np.concatenate([part[arm] for part in parts])[:, METRICS.index(METRIC)].tolist() for arm in parts[0]}
        rows.append(row | {"arms": joined})
        print(f"{task.name}, {name}: {row['n_pairs']:,} pairs, {row['seconds']:,.0f} s", file=sys.stderr, flush=True)
    return rows


def halved(questions: EvalSet) -> tuple[EvalSet, EvalSet]:
    """Returns the questions on two sides, by a hash of the first document that answers each."""
    first = {query: min(answers) for query, answers in questions.qrels.items()}

    def side(number: int) -> EvalSet:
        queries = {query: text for query, text in questions.queries.items() if zlib.crc32(first[query].encode()) % 2 == number}
        return replace(questions, queries=queries, qrels={query: questions.qrels[query] for query in queries})

    return side(0), side(1)


def trained_on(
    corpus: Corpus,
    generated: Sequence[GeneratedQuery],
    log: Sequence[str],
    tested: Sequence[EvalSet],
    config: Config,
    scratch: Path,
) -> tuple[list[Pair], list[RankedChunk]]:
    """Returns the pairs and the lists that a run trains on, none of which asks what is tested."""
    tables = [
        to_table(corpus.chunks, Chunk),
        to_table(corpus.documents, DocumentEntry),
        to_table(corpus.duplicates, DuplicateChunk),
    ]
    whole = core_corpus.Corpus(*tables)
    pseudo, sets = list[RankedChunk](), list[QuerySettings]()
    if log:
        path = scratch / "log.txt"
        path.write_text("\n".join(log) + "\n", encoding="utf-8")
        sets = [QuerySettings(path=str(path))]
        answers = response_cache_directory(config.generation)
        pseudo = label_own_queries(sets, whole, generated, config.training.base_model, None, answers).lists
    result, lists = split_with_own(
        generated,
        [],
        [],
        whole.chunk_places(),
        config.split,
        groups=whole.group_of_document,
        human_eval=True,
        held_out_queries={text for half in tested for text in half.queries.values()},
        provenance={},
        pseudo=pseudo,
        sure={item.label: item.sure for item in sets},
    )
    return result.pairs, lists


def table_of(rows: Sequence[Row], seed: int) -> list[list[str]]:
    """Returns the table of one set: after each score how far it is from the training without the log, in points."""
    first = rows[0]["arms"]
    n_tested = len(next(iter(first.values())))
    table = [
        [
            f"{rows[0]['set']}, {n_tested} questions",
            "log",
            "pairs",
            "lists",
            *(cell for way in WAYS for cell in (way, f"- {RULES}")),
        ]
    ]
    untrained = [f"{np.mean(first[arm.replace('finetuned', 'base')]):.3f}" for arm in WAYS.values()]
    table.append(["untrained", "-", "-", "-", *(cell for mean in untrained for cell in (mean, "-"))])
    for row in rows:
        cells = cells_by_way(row["arms"], None if row is rows[0] else first, seed)
        table.append([row["name"], str(row["n_log"]), f"{row['n_pairs']:,}", str(row["n_lists"]), *cells])
    return table


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        raise SystemExit(str(error)) from None
