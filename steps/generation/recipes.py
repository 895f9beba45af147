"""The recipes that exist, by the name they have in a configuration."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from steps.errors import unknown_name

if TYPE_CHECKING:
    from distilabel.steps import Step

RECIPES: dict[str, tuple[str, str]] = {
    "rules": (
        "queries written by rules from titles, sentences, labels and docstrings; no LLM",
        "steps.generation.rules_step:rules_step",
    ),
}
"""Name -> (one-line description, `module:function` that returns the distilabel step for the recipe's settings and a seed)."""


def step_builder(name: str) -> Callable[..., Step]:
    """Returns the function that builds the distilabel step of a recipe.

    Raises:
        InputError: There is no recipe of that name.
    """
    if name not in RECIPES:
        raise unknown_name("recipe", name, RECIPES)
    module, _, function = RECIPES[name][1].partition(":")
    builder: Callable[..., Step] = getattr(importlib.import_module(module), function)
    return builder
