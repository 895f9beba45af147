"""Rows of several recipes mixed by weight: recipes with more than their share give up rows, evenly over their chunks."""

from __future__ import annotations

from collections import Counter

from steps.generation.settings import GenerationSettings, label_of
from steps.rows import Reject, Triplet


def mixed(triplets: list[Triplet], settings: GenerationSettings) -> tuple[list[Triplet], list[Reject]]:
    """Returns the rows in their order, thinned to the recipes' weights, and what was thinned out.

    The recipe with the fewest rows for its weight keeps all of them. Another gives up first what stands last in its chunk,
    and among those by the rows' ids, so that a new chunk moves few rows of the others.
    """
    weights = {label_of(recipe): recipe.weight for recipe in settings.recipes}
    made = Counter(triplet.recipe for triplet in triplets)
    shares = {label: weight for label, weight in weights.items() if weight is not None and made[label]}
    if len(shares) < 2:
        return triplets, []
    unit = min(made[label] / weight for label, weight in shares.items())
    ranks: dict[str, int] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for triplet in triplets:
        ranks[triplet.id] = seen[triplet.recipe, triplet.chunk_id]
        seen[triplet.recipe, triplet.chunk_id] += 1
    kept: set[str] = set()
    for label, weight in shares.items():
        own = sorted((row for row in triplets if row.recipe == label), key=lambda row: (ranks[row.id], row.id))
        kept |= {row.id for row in own[: round(unit * weight)]}
    thinned = [
        Reject(row.id, row.chunk_id, row.query, "mixing", f"recipe '{row.recipe}' has more rows than its weight allows")
        for row in triplets
        if row.id not in kept
    ]
    return [row for row in triplets if row.id in kept], thinned
