"""From a passage to its queries, best first."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from steps.generation.passages import Passage

VERSION = "0"


@dataclass(frozen=True, slots=True)
class Written:
    """What the rules wrote for a passage."""

    queries: list[tuple[str, str]] = field(default_factory=list)
    """(query, style), best first."""
    rejects: list[tuple[str, str]] = field(default_factory=list)
    """(query, reason)."""


def written_queries(passage: Passage, seed: int, queries_per_chunk: int) -> Written:
    """Returns the queries of a passage, best first."""
    topic = passage.section.split(" > ")[-1] or passage.title
    queries = []
    for match in re.finditer(r"\b(?:To|you can) ([a-z]+ [^.,:;]{3,60})[.,]", passage.text):
        queries.append((f"How do I {match[1].strip()}?".replace("your", "my"), "how_to"))
    if topic:
        queries.append((f"What is {topic}?", "what_is"))
    return Written(queries[: queries_per_chunk + seed * 0])
