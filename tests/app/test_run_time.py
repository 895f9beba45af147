"""How long a run takes, reckoned from how fast this machine reads."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from finetrieve.app.run_time import FIXED_TOKENS, PASSES, STARTING_SECONDS, STEP_RATIO, duration, reckoned, time_line, work_of
from finetrieve.core.rows import Chunk
from finetrieve.retrieval.speed import Speed, measure_speed
from finetrieve.training.settings import TrainingSettings
from tests.training.conftest import tiny_model  # noqa: F401  # a fixture

CHUNKS = [Chunk(f"c{n}", "d", "d", "The pump", "", f"Rinse part {n} of the pump with warm water. " * 5, 60, n) for n in range(40)]


def test_the_work_of_a_run_is_its_steps_and_its_passes() -> None:
    settings = TrainingSettings(batch_size=64, queries_at_once=2, epochs=4, max_steps=36, max_tokens=128)
    small = work_of(n_chunks=100, mean_tokens=200, n_queries=400, settings=settings)
    assert small.steps == 16  # 4 epochs of ceil(400 / 128) batches
    assert small.training == 16 * 64 * 128 * STEP_RATIO and small.corpus == PASSES * 100 * 200
    large = work_of(n_chunks=100_000, mean_tokens=200, n_queries=400_000, settings=settings)
    assert large.steps == 36 and large.training == 36 * 64 * 128 * STEP_RATIO
    several = work_of(n_chunks=100, mean_tokens=200, n_queries=400, settings=settings.model_copy(update={"seeds": 3}))
    assert several.steps == 3 * small.steps and several.training == 3 * small.training
    training, rest = large.seconds(Speed(10_000, "cpu"))
    assert training == pytest.approx(large.training / 10_000)
    assert rest == pytest.approx((PASSES * 20_000_000 + FIXED_TOKENS) / 10_000 + STARTING_SECONDS)


def test_the_guess_says_that_it_is_one_and_what_it_rests_on() -> None:
    words = reckoned(work_of(1_000, 150, 4_000, TrainingSettings()), Speed(5_000, "cpu"))
    assert "a guess of" in words and "probably" in words and "5,000 tokens" in words and "(cpu)" in words


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 s"), (40, "40 s"), (420, "7 min"), (9_000, "2.5 h")])
def test_a_duration_is_written_as_people_say_it(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_speed_of_a_model_is_measured_on_the_chunks_themselves(tiny_model: Path) -> None:  # noqa: F811
    started = time.perf_counter()
    speed = measure_speed(str(tiny_model), ["warm water"], 32, seconds=0.1)
    assert speed.tokens_per_second > 10 and time.perf_counter() - started < 60
    line = time_line(CHUNKS, 100, TrainingSettings(base_model=str(tiny_model)))
    assert re.match(r"Time: a guess of \d", line)


def test_nothing_is_fetched_to_reckon(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is not on this machine yet" in time_line(CHUNKS, 100, TrainingSettings(base_model="nobody/nothing-at-all"))
