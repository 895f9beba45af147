"""Which texts count as untitled, and that more of the base model stays where they do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from finetrieve.core.rows import Chunk, Pair
from finetrieve.training.train import train_model
from finetrieve.training.untitled import is_untitled
from tests.training.test_train import corpus, settings

TITLES = ["", "", "", "Install", ""]
CHUNKS = [Chunk(str(number), str(number), "", title, "", "text", 3, 0) for number, title in enumerate(TITLES)]
PAIRS = [Pair("how", str(number), "train", "generated", "how_to") for number in range(len(TITLES))]


def test_texts_are_untitled_where_most_generated_queries_are_about_chunks_without_title_and_heading() -> None:
    assert is_untitled(PAIRS, CHUNKS)
    assert not is_untitled(PAIRS, [replace(chunk, section="Usage") for chunk in CHUNKS])
    assert not is_untitled([PAIRS[0], PAIRS[3], PAIRS[3]], CHUNKS)
    assert not is_untitled([], CHUNKS)


def test_queries_of_people_and_own_pairs_do_not_count() -> None:
    assert not is_untitled([replace(pair, provenance="own") for pair in PAIRS[:3]] + PAIRS[3:], CHUNKS)


@pytest.mark.slow
@pytest.mark.parametrize(("title", "shares"), [("", [0.7]), ("A title", [0.0])])
def test_more_of_the_base_model_stays_where_texts_are_untitled(
    title: str,
    shares: list[float],
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    pairs, chunks = corpus()
    texts = [replace(chunk, title=title, section="") for chunk in chunks]
    wanted = settings(average=[0.0, 0.3, 0.7], lay_tolerance=1.0, max_steps=2)
    record = train_model(pairs, texts, wanted, str(tiny_model), tmp_path / "model", tmp_path / "ck", 3).record
    assert [point.base_share for point in record.averaging] == shares
    assert record.untitled == (not title)
    alone = settings(average=[0.0], lay_tolerance=1.0, max_steps=2)  # a share that somebody named stays
    named = train_model(pairs, texts, alone, str(tiny_model), tmp_path / "named", tmp_path / "ck", 3).record
    assert named.chosen is not None and named.chosen.base_share == 0.0
