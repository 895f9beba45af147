"""What fusing BM25 with the base model gains, and what choosing the fusion on dev costs.

`python benchmarks/fusion.py [FOLDER ...]`: each FOLDER is a BEIR folder with questions; nothing is trained. One half of the
questions, by hash, chooses among the candidates as a run does on its dev questions; nDCG@10 is of the other half. "chosen - best"
is what was lost against the candidate that is best on that other half, which nobody can know beforehand.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from steps.chunks.settings import ChunkSettings  # noqa: E402
from steps.evaluation.eval_sets import EvalSet, load_eval_set  # noqa: E402
from steps.evaluation.metrics import HEADLINE, METRICS  # noqa: E402
from steps.evaluation.scoring import Index, fusion_scores, score_set  # noqa: E402
from steps.evaluation.settings import EvalSetSettings  # noqa: E402
from steps.retrieval.bm25 import Bm25  # noqa: E402
from steps.retrieval.embedder import CachedEmbedder  # noqa: E402
from steps.retrieval.encoder import load_tokenizer  # noqa: E402
from steps.retrieval.fusion import Fusion, candidates, choose_fusion  # noqa: E402
from steps.rows import embedded_text  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
SETS = ("emanual-s10", "zenml-distilabel", "llamaindex-10k-val", "squad11-dev")
COLUMNS = ("bm25", "dense", "rrf", "z_score", "min_max", "chosen", "best", "chosen - best")


def main() -> None:
    """Prints a row per set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    folders = parser.parse_args().folders or [DATA / name for name in SETS if (DATA / name).is_dir()]
    if not folders:
        parser.error(f"no sets in {DATA}; name BEIR folders")
    print(f"{'nDCG@10, base model':24}{'questions':>10}" + "".join(f"{name:>15}" for name in COLUMNS) + "  chosen")
    for folder in folders:
        _row(folder)


def _row(folder: Path) -> None:
    settings = ChunkSettings()
    whole = load_eval_set(EvalSetSettings(path=folder), [], [], [], settings, load_tokenizer("embedded"))
    model = CachedEmbedder("embedded")
    texts = [embedded_text(chunk) for chunk in whole.chunks]
    index = Index(Bm25(texts), {"base": model.embed(texts, "document")})
    dev, test = (_half(whole, side) for side in (0, 1))
    options = candidates()
    chosen = choose_fusion(options, fusion_scores(dev, index, {"base": model}, options)["base"])
    on_test = fusion_scores(test, index, {"base": model}, options)["base"].mean(axis=0)  # (n_options,)
    score = dict(zip(options, on_test, strict=True))
    arms = score_set(test, index, {"base": model}, ["bm25", "base"], [], {}).arms
    column = METRICS.index(HEADLINE)
    values = (
        *(float(np.mean(arms[arm][:, column])) for arm in ("bm25", "base")),
        *(score[Fusion(name, 0.5)] for name in ("rrf", "z_score", "min_max")),
        score[chosen],
        on_test.max(),
        score[chosen] - on_test.max(),
    )
    print(f"{folder.name:24}{len(test.queries):>10}" + "".join(f"{value:>15.3f}" for value in values) + f"  {chosen}", flush=True)


def _half(eval_set: EvalSet, side: int) -> EvalSet:
    """Returns every second question, by the hash of its id."""
    kept = {name: text for name, text in eval_set.queries.items() if hashlib.sha256(name.encode()).digest()[0] % 2 == side}
    return replace(eval_set, queries=kept)


if __name__ == "__main__":
    main()
