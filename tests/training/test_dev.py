"""The dev score against an independent implementation, and what it chooses."""

from __future__ import annotations

import numpy as np
import pytest
import pytrec_eval

from finetrieve.core.rows import Chunk, Pair
from finetrieve.training.dev import dev_set, mean_ndcg, nearest_within


def test_ndcg_agrees_with_pytrec_eval() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(40, 60)).astype(np.float32)
    relevant = [sorted(rng.choice(60, size=rng.integers(1, 15), replace=False).tolist()) for _ in range(40)]
    qrels = {f"q{i}": {f"d{column}": 1 for column in columns} for i, columns in enumerate(relevant)}
    run = {f"q{i}": {f"d{column}": float(score) for column, score in enumerate(row)} for i, row in enumerate(scores)}
    measured = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut_10"}).evaluate(run)
    expected = np.mean([values["ndcg_cut_10"] for values in measured.values()])
    assert mean_ndcg(scores, relevant) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("scores", "tolerance", "wanted", "chosen"),
    [
        ({0.0: 0.80, 0.3: 0.798, 0.5: 0.796, 0.7: 0.70}, 0.005, 1.0, 0.5),
        ({0.0: 0.80, 0.3: 0.798, 0.5: 0.796, 0.7: 0.796}, 0.005, 0.5, 0.5),
        ({0.0: 0.80, 0.3: 0.798, 0.5: 0.796, 0.7: 0.70}, 0.0, 0.5, 0.0),
        ({0.3: 0.70, 0.5: 0.60, 0.7: 0.70}, 0.005, 0.5, 0.7),
        ({0.3: 0.5}, 0.0, 1.0, 0.3),
    ],
)
def test_of_shares_that_score_alike_the_one_nearest_to_the_wanted_wins(
    scores: dict[float, float], tolerance: float, wanted: float, chosen: float
) -> None:
    assert nearest_within(scores, tolerance, wanted) == chosen


def test_dev_queries_are_searched_among_their_answers_and_a_sample() -> None:
    chunks = [Chunk(f"c{i}", f"d{i}", "", "", "", f"text {i}", 3, 0) for i in range(500)]
    pairs = [Pair("Which one?", "c7", "dev", "generated", ""), Pair("which one", "c9", "dev", "generated", "")]
    pairs.append(Pair("another", "c1", "train", "generated", ""))
    dev = dev_set(pairs, chunks, max_chunks=50, seed=1)
    assert dev is not None
    assert (dev.queries, len(dev.texts), dev.n_corpus) == (["Which one?"], 50, 500)
    assert [dev.texts[row] for row in dev.relevant[0]] == ["text 7", "text 9"]
    assert dev_set(pairs[2:], chunks, 50, 1) is None
