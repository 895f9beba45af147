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


def reporter(label: str) -> Progress:
    """Returns a callback that shows `label: done/total (rate, time left, details)`; each work has its own clock."""
    terminal = sys.stdout.isatty()
    started: float | None = None
    first, last = 0, 0.0

    def report(done: int, total: int, details: str = "") -> None:
        nonlocal started, first, last
        now = time.monotonic()
        if started is None:
            started, first = now, done
            last = now - (_LOG_SECONDS if terminal else 0.0)
        finished, elapsed = done >= total, now - started
        if finished:
            started = None  # what comes next under this label has a clock of its own
        if now - last < (_TERMINAL_SECONDS if terminal else _LOG_SECONDS) and not (finished and terminal):
            return
        last = now
        rate = (done - first) / elapsed if elapsed > 0 else 0.0
        left = f", about {(total - done) / rate:.0f} s left" if rate and not finished else ""
        more = f", {details}" if details else ""
        line = f"{label}: {done:,}/{total:,} ({rate:,.1f}/s{left}{more})"
        if not terminal:
            logger.info(line)
        elif logger.isEnabledFor(logging.INFO):
            print(f"\r\x1b[K  {line}", end="\n" if finished else "", flush=True)

    return report
