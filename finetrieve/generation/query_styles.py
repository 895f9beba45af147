"""Query styles and personas: how a query asks and who asks it, drawn per query and told to the LLM."""

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
class QueryStyle:
    """One draw: the style and the persona of a query."""

    style: str
    style_says: str
    persona: str
    """Empty when the recipe has no personas."""
    persona_says: str


WeightedNames = Mapping[str, tuple[float, str]]
"""Name -> (weight, what it tells the LLM)."""


def draw_styles(styles: WeightedNames, personas: WeightedNames, count: int, seed: int, key: str) -> list[QueryStyle]:
    """Returns the styles of a chunk's queries: the same for a seed and a key, whatever else is in the corpus.

    Styles are drawn without replacement until each was drawn, so that the queries of one chunk differ.
    """
    source = random.Random(hashlib.sha256(f"{seed}\x1f{key}".encode()).digest())
    drawn: list[QueryStyle] = []
    left: dict[str, tuple[float, str]] = {}
    for _ in range(count):
        left = left or dict(styles)
        style = _draw(left, source)
        persona = _draw(personas, source) if personas else ""
        drawn.append(QueryStyle(style, left.pop(style)[1], persona, personas[persona][1] if persona else ""))
    return drawn


def _draw(weighted: WeightedNames, source: random.Random) -> str:
    names = list(weighted)
    return source.choices(names, [weighted[name][0] for name in names])[0]
