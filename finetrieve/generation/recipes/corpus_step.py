"""What the steps of recipes that look at the whole corpus share: all chunks come at once."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

from collections.abc import Iterable, Sequence

from finetrieve.core.errors import InputError
from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.recipes.base import ChunkResult

ALL_CHUNKS = 1 << 40
"""As distilabel's batch size: everything is one batch."""


def check_two_hops(label: str, chunks: Sequence[ChunkContext]) -> None:
    """Checks that a question can need several chunks.

    Raises:
        InputError: The corpus has too few.
    """
    if len(chunks) < 2:
        raise InputError(
            f"Recipe '{label}': the corpus has {len(chunks)} chunk{'s' * (len(chunks) != 1)}, and a question of 2 hops "
            "needs 2. Give more documents, or take a recipe that asks about one chunk, such as 'rules' or 'triplet'."
        )


def empty_results(chunks: Iterable[ChunkContext]) -> list[ChunkResult]:
    """Returns a result per chunk with nothing in it."""
    return [{"queries": [], "rows": [], "rejects": [], "failures": [], "unasked": 0, "answered": 0, "links": []} for _ in chunks]
