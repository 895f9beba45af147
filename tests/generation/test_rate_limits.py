"""Requests and tokens per minute, by a clock that the test moves."""

from __future__ import annotations

import random

import pytest

from finetrieve.generation.llm import rate_limits as limits
from finetrieve.generation.llm.rate_limits import RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock()
    monkeypatch.setattr(limits, "time", moved)
    return moved


def most_in_a_minute(used: list[tuple[float, float]]) -> float:
    return max(sum(amount for moment, amount in used if start <= moment < start + 60.0) for start, _ in used)


@pytest.mark.parametrize("limit", [3, 60, 500])
def test_no_minute_has_more_requests_than_the_limit(clock: Clock, limit: int) -> None:
    pace, sent = RateLimit(limit), []
    for _ in range(3 * limit):
        clock.now = max(clock.now, pace.reserve())
        sent.append((clock.now, 1.0))
    assert most_in_a_minute(sent) <= limit
    assert sent[-1][0] - sent[0][0] < 3.1 * 61, "and hardly fewer"
    assert sum(moment < 1000.0 + 1.0 for moment, _ in sent) <= max(2 * limit / 60 + 2, 2), "they are spread"


def test_no_minute_has_more_tokens_than_the_limit_but_for_one_that_is_larger(clock: Clock) -> None:
    draw, pace, sent = random.Random(1), RateLimit(10_000), []
    for _ in range(300):
        estimate = draw.randrange(100, 2000)
        clock.now = max(clock.now, pace.reserve(estimate))
        sent.append((clock.now, float(estimate)))
    assert most_in_a_minute(sent) <= 10_000
    clock.now = max(clock.now, pace.reserve(50_000))
    after = pace.reserve(100)
    assert after - clock.now >= 60


def test_what_was_used_beyond_the_estimate_is_made_up_for(clock: Clock) -> None:
    exact, corrected = RateLimit(6000), RateLimit(6000)
    for _ in range(10):
        exact.reserve(300)
        corrected.reserve(100)
        corrected.correct(200)
    assert corrected.reserve(100) == pytest.approx(exact.reserve(100))


def test_after_a_pause_a_seconds_worth_goes_at_once(clock: Clock) -> None:
    pace = RateLimit(600)
    clock.now += 1000
    assert [pace.reserve() for _ in range(11)] == [clock.now] * 11
    assert pace.reserve() == pytest.approx(clock.now + 0.1)


def test_without_a_limit_nobody_waits(clock: Clock) -> None:
    pace = RateLimit(None)
    assert {pace.reserve(1e9) for _ in range(100)} == {clock.now}
    pace.correct(1e9)
