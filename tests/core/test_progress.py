"""Progress: a line now and then, that says how fast it goes."""

from __future__ import annotations

import logging
from itertools import count

import pytest

from finetrieve.core import progress


@pytest.mark.parametrize(("seconds", "speed"), [(0.5, "2.0/s"), (24.0, "24 s each")])
def test_slow_work_is_counted_in_seconds_each(
    seconds: float, speed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = count()
    monkeypatch.setattr(progress, "_LOG_SECONDS", 0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock) * seconds)
    logging.getLogger("finetrieve").setLevel(logging.INFO)
    report = progress.reporter("Training")
    for done in range(4):
        report(done, 12)
    assert f"Training: 3/12 ({speed}, about {9 * seconds:.0f} s left)" in capsys.readouterr().out


def test_a_second_work_under_the_same_label_has_a_clock_of_its_own(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(logging.getLogger("finetrieve"), "propagate", True)
    report = progress.reporter("Encoding")
    with caplog.at_level(logging.INFO, "finetrieve"):
        for seconds, done, total in ((0, 0, 100), (1, 100, 100), (1000, 0, 100), (20, 40, 100)):
            now[0] += seconds
            report(done, total)
    assert caplog.messages[-1] == "Encoding: 40/100 (2.0/s, about 30 s left)"
