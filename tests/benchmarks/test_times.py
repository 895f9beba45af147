"""The table of times and costs, on rates that are given."""

from __future__ import annotations

import re

import times

from finetrieve.app.run_time import duration, work_of
from finetrieve.retrieval.speed import Speed
from finetrieve.training.settings import TrainingSettings


def test_each_size_has_a_row_by_the_measured_rate_and_one_by_the_assumed_rate() -> None:
    rows = [line for line in times.table(Speed(5_000, "cpu"), TrainingSettings(), 1e6, 0.05, 2.5) if re.match(r"\| \d", line)]
    assert len(rows) == 2 * len(times.SIZES)
    assert all(row.count("(reckoned)") == 2 for row in rows)
    assert ["measured rate" in row for row in rows] == [True, False] * len(times.SIZES)
    training, rest = work_of(100_000, times.MEAN_TOKENS, 400_000, TrainingSettings()).seconds(Speed(5_000, "cpu"))
    assert duration(training + rest) in rows[4] and f"{(training + rest) / 3600 * 0.05:.2f} (reckoned)" in rows[4]
