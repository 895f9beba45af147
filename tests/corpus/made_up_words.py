"""Made-up words, which a test looks for in what became of a text."""

from __future__ import annotations

import random

SYLLABLES = "ba ce di fo gu ka le mi no pu ra se ti vo zu".split()  # noqa: SIM905


class Words:
    """Made-up words, no two the same, so that each can be looked for."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.used: list[str] = []

    def __call__(self, number: int = 4) -> str:
        made = ["".join(self._random.choices(SYLLABLES, k=4)) + str(len(self.used) + at) for at in range(number)]
        self.used += made
        return " ".join(made)
