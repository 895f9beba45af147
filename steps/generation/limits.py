"""Requests and tokens per minute, kept by spacing: what is used up is waited for, never more than the limit at once."""

from __future__ import annotations

import asyncio
import time

_BURST_SECONDS = 1.0
"""What may be sent at once after a pause: one second's worth."""


class Pace:
    """The generic cell rate algorithm: a clock that runs ahead with what was used, and that callers wait for."""

    def __init__(self, per_minute: float | None) -> None:
        self._seconds_each = 60.0 / per_minute if per_minute else 0.0
        self._due = 0.0

    async def turn(self, amount: float = 1.0) -> None:
        """Waits until `amount` may be used, and uses it."""
        if not self._seconds_each:
            return
        now = time.monotonic()
        start = max(now, self._due)
        self._due = start + amount * self._seconds_each
        wait = start - now - _BURST_SECONDS
        if wait > 0:
            await asyncio.sleep(wait)

    def correct(self, amount: float) -> None:
        """Adds what was used beyond the estimate, or gives back what was not."""
        self._due += amount * self._seconds_each
