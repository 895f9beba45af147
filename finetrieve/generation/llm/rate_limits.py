"""Requests and tokens per minute: spaced evenly, and never more than the limit in any minute."""

from __future__ import annotations

import time
from collections import deque

_BURST_SECONDS = 1.0
"""What may be sent at once after a pause: one second's worth."""
_WINDOW_SECONDS = 61.0
"""A second more than the minute that the server counts: requests do not all travel equally long."""


class RateLimit:
    """A clock that runs ahead with what was used, and a window that holds what was used in the last minute."""

    def __init__(self, per_minute: float | None) -> None:
        self._limit = per_minute or 0.0
        self._due = 0.0
        self._used: deque[tuple[float, float]] = deque()
        self._sum = 0.0

    def reserve(self, amount: float = 1.0) -> float:
        """Returns the moment, by `time.monotonic`, from which `amount` may be used; it counts as used then."""
        now = time.monotonic()
        if not self._limit:
            return now
        start = max(now, self._due)
        self._due = start + amount * 60.0 / self._limit
        moment = max(now, start - _BURST_SECONDS)
        # An amount above the limit goes alone.
        while self._used and self._sum + amount > self._limit:
            earlier, used = self._used.popleft()
            self._sum -= used
            moment = max(moment, earlier + _WINDOW_SECONDS)
        self._add(moment, amount)
        return moment

    def correct(self, amount: float) -> None:
        """Adds what was used beyond the estimate, or gives back what was not."""
        if self._limit:
            self._due += amount * 60.0 / self._limit
            self._add(time.monotonic(), amount)

    def _add(self, moment: float, amount: float) -> None:
        self._used.append((moment, amount))
        self._sum += amount
