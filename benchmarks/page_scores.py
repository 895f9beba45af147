"""What a page's score gains where the mean of all its passages counts a little beside its best one.

`python benchmarks/page_scores.py [FOLDER ...] [--model DIR]`: each FOLDER is a set (`bench_sets.py` says in which layouts);
without any, those in the folder that FINETRIEVE_BENCH_DATA names. Nothing is trained. It prints nDCG@10 of fused search with each
share of the mean in cosines and late scores, and the difference to the best passage alone in points, with its 95% interval.
`--model` searches by a trained model in place of the base model.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from bench_sets import bench_folders, corpus_of, questions_of, task_of
from peers import paired_gap

from finetrieve.app.config import DEFAULT_CONFIG, load_config
from finetrieve.core.rows import embedded_text
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.metrics import HEADLINE, METRICS, relevance_of, score_queries
from finetrieve.evaluation.scoring import units_of
from finetrieve.retrieval.fusion import FUSED, fuse
from finetrieve.retrieval.hybrid_index import build_index
from finetrieve.retrieval.vector_cache import CachedEmbedder

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4)
BLOCK = 64
"""Questions whose scores are in memory at once."""


def main() -> None:
    """Prints a row per set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--model", default="embedded", metavar="DIR")
    given = parser.parse_args()
    print(f"{'fused search':24}{'questions':>10}" + "".join(f"{f'{share:g} of all':>22}" for share in SHARES))
    with tempfile.TemporaryDirectory(prefix="finetrieve-pages-") as scratch:
        for folder in bench_folders(given.folders):
            task = task_of(folder, Path(scratch))
            config = load_config(DEFAULT_CONFIG, task.docs)
            asked = questions_of(task, corpus_of(task.docs, config.chunks, config.training.base_model), config)
            if asked is not None:
                print(f"{task.name:24}{len(asked.queries):>10}{_cells(asked, given.model, config.seed)}", flush=True)


def _cells(asked: EvalSet, model: str, seed: int) -> str:
    found = _ndcg(asked, model)
    cells = [f"{found[:, 0].mean():>22.3f}"]
    for column in range(1, len(SHARES)):
        gap = paired_gap(found[:, column], found[:, 0], seed)
        delta, low, high = (100 * gap[name] for name in ("delta", "low", "high"))
        cells.append(f"{f'{delta:+.1f} [{low:+.1f}, {high:+.1f}]':>22}")
    return "".join(cells)


def _ndcg(asked: EvalSet, model: str) -> np.ndarray:
    """Returns nDCG@10 `(n_questions, n_shares)`."""
    index = build_index([embedded_text(chunk) for chunk in asked.chunks], CachedEmbedder(model), with_tokens=True)
    units, texts = units_of(asked), list(asked.queries.values())
    columns = {unit: column for column, unit in enumerate(units.ids)}
    relevance = relevance_of([asked.qrels[query] for query in asked.queries], columns)
    queries, found = index.prepare(texts), np.empty((len(texts), len(SHARES)))
    for start in range(0, len(texts), BLOCK):
        stop = min(start + BLOCK, len(texts))
        by_chunk = index.parts(queries.part(start, stop))
        best = by_chunk.on(units.best)
        for column, share in enumerate(SHARES):
            scores = score_queries(fuse(units.with_whole(best, by_chunk, share), FUSED), relevance.part(start, stop))
            found[start:stop, column] = scores[:, METRICS.index(HEADLINE)]
    return found


if __name__ == "__main__":
    main()
