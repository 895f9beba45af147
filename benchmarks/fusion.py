"""What fusing BM25 with the base model's dense and late scores gains, and what choosing the fusion on dev costs.

`python benchmarks/fusion.py [FOLDER ...]`: each FOLDER is a BEIR folder with questions, without any those in the folder that
FINETRIEVE_BENCH_DATA names; nothing is trained. One half of the questions, by hash, chooses among the candidates as a run does on
people's dev questions; nDCG@10 is of the other half. "chosen - best" is what was lost against the candidate that is best on that
other half, which nobody can know beforehand.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench_sets import bench_folders

from finetrieve.core.rows import embedded_text
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.evaluation.arms import BASE
from finetrieve.evaluation.eval_sets import EvalSet, load_eval_set
from finetrieve.evaluation.metrics import HEADLINE, METRICS
from finetrieve.evaluation.scoring import DEV_QUERIES, fusion_scores, score_set, spread
from finetrieve.evaluation.settings import EvalSetSettings
from finetrieve.retrieval.base_model import load_tokenizer
from finetrieve.retrieval.fusion import FUSED, HYBRID, candidates, choose_fusion
from finetrieve.retrieval.hybrid_index import build_index
from finetrieve.retrieval.vector_cache import CachedEmbedder

COLUMNS = ("bm25", "dense", "late", "hybrid", "fused", "chosen", "best", "chosen - best")


def main() -> None:
    """Prints a row per set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    folders = bench_folders(parser.parse_args().folders, beir_only=True)
    print(f"{'nDCG@10, base model':24}{'questions':>10}" + "".join(f"{name:>15}" for name in COLUMNS) + "  chosen")
    for folder in folders:
        _row(folder)


def _row(folder: Path) -> None:
    settings = ChunkSettings()
    whole = load_eval_set(EvalSetSettings(path=folder), [], [], [], settings, load_tokenizer("embedded"))
    texts = [embedded_text(chunk) for chunk in whole.chunks]
    indexes = {BASE: build_index(texts, CachedEmbedder("embedded"), with_tokens=True)}
    dev, test = (_half(whole, side) for side in (0, 1))
    options = candidates(FUSED, is_human=True)
    chosen = choose_fusion(options, fusion_scores(dev, indexes, options)[BASE])
    on_test = fusion_scores(test, indexes, options)[BASE].mean(axis=0)  # (n_options,)
    score = dict(zip(options, on_test, strict=True))
    arms = ("bm25", "base", "late_base", "hybrid_base", "fused_base")
    defaults = {"hybrid_base": HYBRID, "fused_base": FUSED}
    found = score_set(spread(test, DEV_QUERIES), indexes, arms, [], defaults).arms
    column = METRICS.index(HEADLINE)
    values = (
        *(float(np.mean(found[arm][:, column])) for arm in arms),
        score[replace(chosen, chosen_on="human dev")],
        on_test.max(),
        score[replace(chosen, chosen_on="human dev")] - on_test.max(),
    )
    weights = ", ".join(f"{part} {weight:g}" for part, weight in chosen.weights.items())
    cells = "".join(f"{value:>15.3f}" for value in values)
    print(f"{folder.name:24}{len(test.queries):>10}{cells}  {chosen.name}: {weights}", flush=True)


def _half(eval_set: EvalSet, side: int) -> EvalSet:
    """Returns every second question, by the hash of its id."""
    kept = {name: text for name, text in eval_set.queries.items() if hashlib.sha256(name.encode()).digest()[0] % 2 == side}
    return replace(eval_set, queries=kept)


if __name__ == "__main__":
    main()
