from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest

from finetrieve.core.logging import get_logger, set_level
from finetrieve.core.progress import reporter

LOGGER = get_logger("finetrieve.training.train")


@pytest.fixture(autouse=True)
def level_is_put_back() -> Iterator[None]:
    yield
    set_level(logging.INFO)


def say_all() -> None:
    LOGGER.debug("12 steps")
    LOGGER.info("trained in 3 s")
    LOGGER.warning("2 requests failed")


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (logging.INFO, "  trained in 3 s\n  2 requests failed\n"),
        (logging.WARNING, "  2 requests failed\n"),
        (logging.DEBUG, "  finetrieve.training.train: 12 steps\n  trained in 3 s\n  2 requests failed\n"),
    ],
)
def test_each_level_prints_what_belongs_to_it_once_and_to_standard_output(
    level: int, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_level(level)
    logging.getLogger().addHandler(elsewhere := logging.StreamHandler(sys.stdout))  # as ZenML's at the root
    try:
        say_all()
    finally:
        logging.getLogger().removeHandler(elsewhere)
    assert capsys.readouterr() == (expected, "")


def test_a_steps_logger_prints_without_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    get_logger("steps.training").info("90 train pairs")
    assert capsys.readouterr().out == "  90 train pairs\n"


@pytest.mark.parametrize(("level", "lines"), [(logging.INFO, 1), (logging.WARNING, 0)])
def test_progress_is_shown_from_info_on(
    level: int, lines: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_level(level)
    clock = iter([0.0, 20.0])
    monkeypatch.setattr("finetrieve.core.progress.time.monotonic", lambda: next(clock))
    report = reporter("Training")
    report(0, 10)
    report(5, 10)
    assert capsys.readouterr().out == "  Training: 5/10 (0.2/s, about 20 s left)\n" * lines
