"""Texts without titles and headings: queries by rules repeat their words, having nothing else, and people who ask have others.

So a training on them leaves more of the base model (`training.untitled_average`).
"""

from __future__ import annotations

from collections.abc import Sequence

from finetrieve.core.rows import Chunk, Pair

MOST = 0.5
"""Share of the trained pairs that are generated and whose chunk has neither a title nor a heading, from which on it counts."""


def is_untitled(pairs: Sequence[Pair], chunks: Sequence[Chunk]) -> bool:
    """Returns whether most pairs are generated queries for chunks with neither a title nor a heading above them."""
    named = {chunk.id for chunk in chunks if chunk.title or chunk.section}
    found = sum(pair.provenance == "generated" and pair.chunk_id not in named for pair in pairs)
    return bool(pairs) and found >= MOST * len(pairs)
