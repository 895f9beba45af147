"""How people ask, and who they are: the styles and personas that an LLM is told to write in, drawn per query."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass

STYLES: dict[str, str] = {
    "how_to": "a question about how to do something that the text explains",
    "keywords": "a few search keywords without grammar, as typed into a search box",
    "error_message": "a description of a problem or an error message that the text helps with",
    "conceptual": "a question about what something is, why it exists or how it works",
    "paraphrase": "a question that shares as few words with the text as possible: everyday words instead of its terms",
    "yes_no": "a question that is answered by yes or no",
    "typos": "a question typed in haste, with a spelling mistake or two and no capital letters",
}
PERSONAS: dict[str, str] = {
    "novice": "a beginner who does not know the product's terms",
    "expert": "an experienced user who knows the product's terms",
    "developer": "a developer who builds something with it",
    "operator": "an administrator who runs it for others",
    "evaluator": "someone who decides whether to use it",
}


@dataclass(frozen=True, slots=True)
class Voice:
    """One draw: the style and the persona of a query."""

    style: str
    style_says: str
    persona: str
    """Empty when the recipe has no personas."""
    persona_says: str


Weighted = Mapping[str, tuple[float, str]]
"""Name -> (weight, what it tells the LLM)."""


def drawn_voices(styles: Weighted, personas: Weighted, count: int, seed: int, key: str) -> list[Voice]:
    """Returns the voices of a chunk's queries: the same for a seed and a key, whatever else is in the corpus.

    Styles are drawn without replacement until all were had, so that the queries of one chunk differ.
    """
    source = random.Random(hashlib.sha256(f"{seed}\x1f{key}".encode()).digest())
    voices: list[Voice] = []
    left: dict[str, tuple[float, str]] = {}
    for _ in range(count):
        left = left or dict(styles)
        style = _draw(left, source)
        persona = _draw(personas, source) if personas else ""
        voices.append(Voice(style, left.pop(style)[1], persona, personas[persona][1] if persona else ""))
    return voices


def _draw(weighted: Weighted, source: random.Random) -> str:
    names = list(weighted)
    return source.choices(names, [weighted[name][0] for name in names])[0]
