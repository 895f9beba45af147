"""The line of progress: its rate is that of the work at hand, not of what was done before under the same label."""

from __future__ import annotations

import logging

import pytest

from finetrieve.core import progress


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
