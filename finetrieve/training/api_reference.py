"""API reference is trained on gently: what the rules ask of a docstring repeats its words, and people who ask have others.

On scikit-learn's documentation and questions in lay words the usual training cost the single vector 2.5 points of nDCG@10, which
no generated question showed; late interaction gained 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from finetrieve.core.rows import Chunk, Pair
from finetrieve.core.text import DOTTED_NAME

if TYPE_CHECKING:
    from finetrieve.training.settings import TrainingSettings

MOST = 0.5
"""Share of the trained chunks whose title is a dotted name, from which on the documents are API reference."""
KEEP_BASE = 2.0
"""What it costs there to move away from the base model, at least: prose pays for far less, API reference loses by that."""


def is_api_reference(pairs: Sequence[Pair], chunks: Sequence[Chunk]) -> bool:
    """Returns whether most chunks that the pairs name are about an object with a dotted name, such as `pandas.DataFrame`."""
    titles = {chunk.id: chunk.title for chunk in chunks}
    asked = {pair.chunk_id for pair in pairs}
    return bool(asked) and sum(bool(DOTTED_NAME.fullmatch(titles[chunk_id])) for chunk_id in asked) >= MOST * len(asked)


def gentler(settings: TrainingSettings) -> TrainingSettings:
    """Returns the settings with half the steps, a high cost of leaving the base model, and nothing distilled."""
    kept = max(settings.keep_base, KEEP_BASE)
    return settings.model_copy(update={"max_steps": max(1, settings.max_steps // 2), "keep_base": kept, "distil": 0.0})
