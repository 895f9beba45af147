"""The recipes that exist, by the name they have in a configuration."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finetrieve.generation.settings import Budget, Recipe

if TYPE_CHECKING:
    from distilabel.steps import Step

RECIPES: dict[str, tuple[str, str]] = {
    "rules": (
        "queries written by rules from titles, sentences, labels and docstrings; no LLM",
        "finetrieve.generation.recipes.rule_queries:rules_step",
    ),
    "triplet": (
        "queries with negatives written by an LLM: distilabel's GenerateSentencePair in drawn styles and personas",
        "finetrieve.generation.recipes.llm_triplets:triplet_step",
    ),
}
"""Name -> (one-line description, `module:function` that returns the distilabel step of a recipe for a seed and a workplace)."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """What the steps of one generation share."""

    ledger: str
    """As `finetrieve.generation.run_resources` finds it; answer cache and passages likewise."""
    answers: str
    passages: str
    budget: Budget
    key_envs: dict[str, str]
    """Recipe label -> the environment variable in which its key was put, for keys from a ZenML secret."""


def step_of(recipe: Recipe, seed: int, place: Workplace) -> Step:
    """Returns the distilabel step of a recipe; call it inside a `with Pipeline()` block."""
    module, _, function = RECIPES[recipe.name][1].partition(":")
    builder: Callable[[Recipe, int, Workplace], Step] = getattr(importlib.import_module(module), function)
    return builder(recipe, seed, place)
