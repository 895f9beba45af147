"""Rows of several recipes mixed by weight: recipes with more than their share give up rows, evenly over their chunks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from finetrieve.core.rows import Reject, Triplet
from finetrieve.core.tables import Rows
from finetrieve.generation.settings import GenerationSettings, label_of


def kept(triplets: pa.Table, settings: GenerationSettings) -> NDArray[np.bool_]:
    """Returns for each row whether it stays when the rows are thinned to the recipes' weights.

    The recipe with the fewest rows for its weight keeps all of them. Another gives up first what stands last in its chunk,
    and among those by the rows' ids, so that a new chunk moves few rows of the others.

    Args:
        triplets: The rows of all recipes; a recipe's rows of a chunk stand together, best first.
        settings: The recipes.
    """
    weights = {label_of(recipe): recipe.weight for recipe in settings.recipes}
    made = {count["values"]: count["counts"] for count in pc.value_counts(triplets["recipe"]).to_pylist()}
    shares = {label: weight for label, weight in weights.items() if weight is not None and label in made}
    if len(shares) < 2:
        return np.ones(triplets.num_rows, dtype=np.bool_)
    unit = min(made[label] / weight for label, weight in shares.items())
    ranked = pa.table({"rank": _ranks(triplets), "id": triplets["id"]})
    order = pc.sort_indices(ranked, sort_keys=[("rank", "ascending"), ("id", "ascending")]).to_numpy()
    stays = np.zeros(triplets.num_rows, dtype=np.bool_)
    for label, weight in shares.items():
        own = order[pc.equal(triplets["recipe"], label).to_numpy()[order]]
        stays[own[: round(unit * weight)]] = True
    return stays


def _ranks(triplets: pa.Table) -> NDArray[np.int64]:
    """Returns each row's place among its recipe's rows of its chunk, from 0."""
    begins = np.ones(triplets.num_rows, dtype=np.bool_)
    recipe, chunk = triplets["recipe"], triplets["chunk_id"]
    begins[1:] = pc.or_(
        pc.not_equal(recipe.slice(1), recipe.slice(0, len(recipe) - 1)),
        pc.not_equal(chunk.slice(1), chunk.slice(0, len(chunk) - 1)),
    ).to_numpy()
    numbers = np.arange(triplets.num_rows)
    return numbers - np.maximum.accumulate(np.where(begins, numbers, 0))


def thinned(triplets: pa.Table, stays: NDArray[np.bool_]) -> Iterator[Reject]:
    """Yields what was thinned out."""
    for row, stay in zip(Rows(triplets, Triplet), stays, strict=True):
        if not stay:
            reason = f"recipe '{row.recipe}' has more rows than its weight allows"
            yield Reject(row.id, row.chunk_id, row.query, "mixing", reason)
