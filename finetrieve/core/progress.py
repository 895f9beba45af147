"""Progress of long work: one line that is rewritten on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from typing import Protocol


class Progress(Protocol):
    """Told how many are done, of how many, and what else there is to say."""

    def __call__(self, done: int, total: int, details: str = "") -> None:
        """Shows it."""


_TERMINAL_SECONDS = 0.2
_LOG_SECONDS = 15.0


def say(text: str) -> None:
    """Prints one finished line about the step that is running."""
    print(f"  {text}", flush=True)


def reporter(label: str) -> Progress:
    """Returns a callback that shows `label: done/total (rate, time left, details)`; the clock starts with its first call."""
    terminal = sys.stdout.isatty()
    started: float | None = None
    first, last = 0, 0.0

    def report(done: int, total: int, details: str = "") -> None:
        nonlocal started, first, last
        now = time.monotonic()
        if started is None:
            started, first = now, done
            last = now - (_LOG_SECONDS if terminal else 0.0)
        finished = done >= total
        if now - last < (_TERMINAL_SECONDS if terminal else _LOG_SECONDS) and not (finished and terminal):
            return
        last = now
        elapsed = now - started
        rate = (done - first) / elapsed if elapsed > 0 else 0.0
        left = f", about {(total - done) / rate:.0f} s left" if rate and not finished else ""
        more = f", {details}" if details else ""
        line = f"  {label}: {done:,}/{total:,} ({rate:,.1f}/s{left}{more})"
        print(f"\r\x1b[K{line}" if terminal else line, end="\n" if finished or not terminal else "", flush=True)

    return report
