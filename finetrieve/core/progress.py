"""Progress of long work: one line that is rewritten on a terminal, a line now and then in a log."""

from __future__ import annotations

import logging
import sys
import time
from typing import Protocol

from finetrieve.core.logging import get_logger

logger = get_logger(__name__)


class Progress(Protocol):
    """Told how many are done, of how many, and what else there is to say."""

    def __call__(self, done: int, total: int, details: str = "") -> None:
        """Shows it."""


_TERMINAL_SECONDS = 0.2
_LOG_SECONDS = 15.0
_SLOW = 0.2
"""Per second: below it, the seconds of each say more."""


def reporter(label: str) -> Progress:
    """Returns a callback that shows `label: done/total (rate, time left, details)`; each work has its own clock."""
    terminal = sys.stdout.isatty()
    started: float | None = None
    first, last, is_over = 0, 0.0, False

    def report(done: int, total: int, details: str = "") -> None:
        nonlocal started, first, last, is_over
        now = time.monotonic()
        finished = done >= total
        if finished and is_over:
            return
        is_over = finished
        if started is None:
            started, first = now, done
            last = now - (_LOG_SECONDS if terminal else 0.0)
        elapsed = now - started
        if finished:
            started = None  # what comes next under this label has a clock of its own
        if now - last < (_TERMINAL_SECONDS if terminal else _LOG_SECONDS) and not (finished and terminal):
            return
        last = now
        rate = (done - first) / elapsed if elapsed > 0 else 0.0
        left = f", about {(total - done) / rate:.0f} s left" if rate and not finished else ""
        more = f", {details}" if details else ""
        speed = f"{1 / rate:,.0f} s each" if 0 < rate < _SLOW else f"{rate:,.1f}/s" if rate else ""
        said = f"{speed}{left}{more}".removeprefix(", ")
        line = f"{label}: {done:,}/{total:,}" + (f" ({said})" if said else "")
        if not terminal:
            logger.info(line)
        elif logger.isEnabledFor(logging.INFO):
            print(f"\r\x1b[K  {line}", end="\n" if finished else "", flush=True)

    return report
