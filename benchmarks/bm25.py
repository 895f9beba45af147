"""Our BM25 beside independent ones on the same chunks: nDCG@10, Recall@10 and seconds; nothing is trained.

`python benchmarks/bm25.py [FOLDER ...]`. "bm25s" is that library as its documentation uses it: its own tokens, Snowball's English
stems and Lucene's stop words; "rank_bm25" (`pip install rank_bm25`; left out where it is missing) is Okapi's formula over these.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import bm25s
import numpy as np
import Stemmer
from bench_sets import Corpus, bench_folders, corpus_of, questions_of, task_of

from finetrieve.app.config import Config
from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.rows import embedded_text
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.metrics import METRICS, relevance_of, score_queries
from finetrieve.evaluation.scoring import units_of
from finetrieve.retrieval.bm25 import Bm25

QUERIES_AT_ONCE = 200
Scorer = Callable[[Sequence[str]], FloatMatrix]


def main() -> None:
    """Prints a row per set and implementation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    print(f"{'':24}{'questions':>10}{'chunks':>8}  {'':12}{'nDCG@10':>9}{'R@10':>8}{'seconds':>9}")
    with tempfile.TemporaryDirectory() as scratch:
        for folder in bench_folders(parser.parse_args().folders):
            questions = _questions(folder, Path(scratch))
            if questions is not None:
                _print_rows(folder.name, questions)


def _questions(folder: Path, scratch: Path) -> EvalSet | None:
    task = task_of(folder, scratch)
    config = Config.model_validate({"source": {"name": "folder", "path": str(folder)}})
    own = task.eval_set is not None and (task.eval_set / "corpus.jsonl").is_file()
    return questions_of(task, Corpus([], [], []) if own else corpus_of(task.docs, config.chunks, "embedded"), config)


def _print_rows(name: str, questions: EvalSet) -> None:
    texts = [embedded_text(chunk) for chunk in questions.chunks]
    builders: dict[str, Callable[[], Scorer]] = {
        "finetrieve": lambda: Bm25.of_chunks(questions.chunks).scores,
        "bm25s": lambda: _bm25s(texts),
    }
    if importlib.util.find_spec("rank_bm25"):
        builders["rank_bm25"] = lambda: _rank_bm25(texts)
    for label, build in builders.items():
        start = time.perf_counter()
        ndcg, recall = _means(questions, build())
        seconds = time.perf_counter() - start
        row = f"{name:24}{len(questions.queries):10,}{len(texts):8,}" if label == "finetrieve" else " " * 42
        print(f"{row}  {label:12}{ndcg:9.4f}{recall:8.4f}{seconds:9.1f}", flush=True)


def _means(questions: EvalSet, scorer: Scorer) -> tuple[float, float]:
    units, asked = units_of(questions), list(questions.queries.values())
    columns = {unit: column for column, unit in enumerate(units.ids)}
    relevance = relevance_of([questions.qrels[query] for query in questions.queries], columns)
    blocks = [
        score_queries(units.best(scorer(asked[start : start + QUERIES_AT_ONCE])), relevance.part(start, start + QUERIES_AT_ONCE))
        for start in range(0, len(asked), QUERIES_AT_ONCE)
    ]
    means = np.concatenate([block[: len(asked)] for block in blocks])[: len(asked)].mean(axis=0)
    return float(means[METRICS.index("ndcg@10")]), float(means[METRICS.index("recall@10")])


def _plain_tokens(texts: Sequence[str]) -> list[list[str]]:
    found = bm25s.tokenize(list(texts), stopwords="en", stemmer=Stemmer.Stemmer("english"), return_ids=False, show_progress=False)
    return list(found)


def _bm25s(texts: Sequence[str]) -> Scorer:
    index = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    index.index(_plain_tokens(texts), show_progress=False)

    def scores(queries: Sequence[str]) -> FloatMatrix:
        known = ([word for word in words if word in index.vocab_dict] for words in _plain_tokens(queries))
        none = np.zeros(len(texts), np.float32)
        return np.array([index.get_scores(words) if words else none for words in known], np.float32)

    return scores


def _rank_bm25(texts: Sequence[str]) -> Scorer:
    from rank_bm25 import BM25Okapi

    index = BM25Okapi(_plain_tokens(texts), k1=1.2, b=0.75)
    return lambda queries: np.array([index.get_scores(words) for words in _plain_tokens(queries)], np.float32)


if __name__ == "__main__":
    main()
