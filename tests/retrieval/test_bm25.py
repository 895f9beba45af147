"""BM25: the Lucene formula, stems and stop words, and nothing that depends on chance."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from finetrieve.retrieval.bm25 import Bm25

ROOT = Path(__file__).resolve().parents[2]
TEXTS = ["Install the camera driver", "Installing printers: printer setup", "Reset the phone"]


def test_score_is_lucenes_formula() -> None:
    k1, b = 1.2, 0.75
    # Without stop words: 3 + 4 + 2 stems in 3 texts; "print" (printers, printer) is in one of them, twice.
    idf = math.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    expected = idf * 2 / (2 + k1 * (1 - b + b * 4 / 3))
    assert Bm25(TEXTS, k1, b).scores(["printers"])[0] == pytest.approx([0, expected, 0], rel=1e-5)


def test_inflected_words_meet_and_stop_words_do_not_count() -> None:
    scores = Bm25(TEXTS).scores(["the installation of", "installs", "the of and"])
    assert scores.shape == (3, 3)
    assert (scores[1] > 0).tolist() == [True, True, False]
    assert not scores[2].any()


def test_top_gives_only_texts_that_share_a_word_best_first() -> None:
    first, second = Bm25([*TEXTS, "camera camera"]).top(["camera", "zebra"], k=10)
    assert [row for row, _ in first] == [3, 0]
    assert first[0][1] > first[1][1] > 0
    assert second == []


@pytest.mark.parametrize(("texts", "queries"), [([], ["camera"]), (["", "the"], ["camera"]), (TEXTS, [])])
def test_nothing_to_search_or_to_ask_gives_zeros(texts: list[str], queries: list[str]) -> None:
    scores = Bm25(texts).scores(queries)
    assert scores.shape == (len(queries), len(texts))
    assert scores.dtype == np.float32
    assert not scores.any()


@pytest.mark.slow
def test_scores_do_not_depend_on_the_hash_seed() -> None:
    script = (
        "from finetrieve.retrieval.bm25 import Bm25\n"
        "texts = [' '.join(f'word{(i * j) % 17}' for j in range(30)) for i in range(40)]\n"
        "print(Bm25(texts).scores([' '.join(f'word{i}' for i in range(17))]).tobytes().hex())"
    )

    def output(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert output("1") == output("2")


def test_coverage_is_the_share_of_the_query_s_rarity_that_one_text_has() -> None:
    # "camera" and "driver" are in one text of three, "instal" in two; nothing has "unicorn".
    rare, common, unseen = (math.log(1 + (3 - n + 0.5) / (n + 0.5)) for n in (1, 2, 0))
    found = Bm25(TEXTS).coverage(
        ["camera driver", "install unicorn", "camera printers", "the of", "unicorn", "camera camera unicorn"]
    )
    expected = [1, common / (common + unseen), 0.5, 0, 0, rare / (rare + unseen)]
    assert found == pytest.approx(expected, rel=1e-5)
