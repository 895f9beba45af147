"""Real queries as examples: recipes that ask an LLM show it some of what people typed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from finetrieve.core.text import normalise_query
from finetrieve.generation.settings import GenerationSettings
from finetrieve.own_data.query_files import read_queries
from finetrieve.own_data.settings import QuerySettings

MOST_EXAMPLES = 200
"""Of all sets together, drawn by the seed: enough to know how people ask."""


def with_real_queries(settings: GenerationSettings, sets: Sequence[QuerySettings], seed: int) -> GenerationSettings:
    """Returns the settings in which recipes that imitate `query_logs` have its queries, those with personal data left out.

    Without any sets they are returned as they are: what a recipe lacks, its own check says.

    Raises:
        InputError: A set cannot be read.
    """
    if not settings.imitates_logs or not sets:
        return settings
    # Personal data is never shown, also where it is trained on.
    read = [read_queries(item.model_copy(update={"personal_data": "leave_out"}))[0] for item in sets]
    texts = list({normalise_query(query.text): query.text for queries in read for query in queries}.values())
    drawn = random.Random(seed).sample(texts, min(MOST_EXAMPLES, len(texts)))
    return settings.model_copy(update={"recipes": [recipe.with_queries(drawn) for recipe in settings.recipes]})
