"""What a server was asked and what it answered: counted as it happens, and in a file where one is named."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson


class Journal:
    """Counts of everything since the start or the last reset."""

    def __init__(self, log: Path | None) -> None:
        self.log = log.open("ab", buffering=0) if log else None
        self.reset()

    def reset(self) -> None:
        """Forgets what was counted; the log file stays."""
        self.attempts: Counter[str] = Counter()
        """Requests per content."""
        self.answered: Counter[str] = Counter()
        """Good answers per content, sent whole."""
        self.paid: Counter[str] = Counter()
        """Answers per content that were generated, whether good or bad and whether anybody still waited."""
        self.outcomes: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.wires: Counter[str] = Counter()
        self.models: Counter[str] = Counter()
        self.requests = self.in_flight = self.most_in_flight = 0
        self.prompt_tokens = self.completion_tokens = 0
        self.waited = 0.0
        """Seconds from the arrival of requests to their good answers, summed."""
        self.first: float | None = None
        self.last: float | None = None

    def arrived(self) -> None:
        """A request is here."""
        now = time.time()
        self.first = self.first or now
        self.requests += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def attempt(self, identity: str) -> int:
        """Returns how often this content was asked before."""
        self.attempts[identity] += 1
        return self.attempts[identity] - 1

    def left(self, entry: dict[str, Any]) -> None:
        """A request is done with; the entry says how: `outcome` is `ok`, a fault's kind, `abandoned` or an error's name."""
        self.in_flight = max(0, self.in_flight - 1)
        self.last = time.time()
        self.outcomes[entry["outcome"]] += 1
        self.statuses[entry.get("status", 0)] += 1
        self.wires[entry["wire"]] += 1
        self.models[entry.get("model", "")] += 1
        identity = entry.get("identity", "")
        if entry["outcome"] == "ok":
            self.answered[identity] += 1
            self.waited += entry["seconds"]
        if entry.get("completion_tokens"):
            self.paid[identity] += 1
            self.prompt_tokens += entry["prompt_tokens"]
            self.completion_tokens += entry["completion_tokens"]
        if self.log:
            self.log.write(orjson.dumps({"at": self.last, **entry}) + b"\n")

    def stats(self) -> dict[str, Any]:
        """Returns the counts, as `GET /stats` answers them."""
        return {
            "requests": self.requests,
            "distinct": len(self.attempts),
            "outcomes": dict(self.outcomes.most_common()),
            "statuses": {str(status): count for status, count in self.statuses.most_common()},
            "answered": self.answered.total(),
            "answered_distinct": len(self.answered),
            "duplicates": self.answered.total() - len(self.answered),
            "paid": self.paid.total(),
            "paid_again": self.paid.total() - len(self.paid),
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "wires": dict(self.wires),
            "models": dict(self.models),
            "mean_latency": self.waited / max(self.answered.total(), 1),
            "seconds": (self.last - self.first) if self.first and self.last else 0.0,
        }
