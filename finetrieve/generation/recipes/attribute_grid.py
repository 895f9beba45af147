"""Attribute grids: what a prompt varies, as a cross product or drawn by weights and joint distributions."""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from finetrieve.core.errors import InputError, unknown_name
from finetrieve.core.paths import ConfigPath
from finetrieve.generation.recipes.base import Weight

MOST_COMBINATIONS = 1000
"""Of a cross product, each of which is a request about every chunk."""
_REDRAWS = 20

Combination = dict[str, str]
"""Attribute -> value; several chosen values are joined."""


class Attribute(BaseModel):
    """What an attribute may be: its values, here or in a file, and how many of them are chosen at a time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: dict[str, Weight] = {}
    """Value -> how often it is drawn, against the others' weights."""
    file: ConfigPath | None = None
    """A UTF-8 file with a value a line, in place of `values`."""
    choose: int = Field(default=1, ge=1)
    """So many different values at a time: words that must occur, features."""
    joined_by: str = ", "
    """What stands between them in the prompt."""

    @field_validator("values", mode="before", json_schema_input_type=list[str] | dict[str, Weight])
    @classmethod
    def _weighted(cls, values: Any) -> Any:
        if not isinstance(values, list):
            return {_text(value): weight for value, weight in values.items()} if isinstance(values, dict) else values
        return dict.fromkeys(_distinct([_text(value) for value in values]), 1.0)

    @model_validator(mode="after")
    def _has_values(self) -> Attribute:
        if bool(self.values) == (self.file is not None):
            raise ValueError("give it values, as [a, b] or {a: 3, b: 1}, or a file with one a line.")
        if self.values and self.choose > len(self.values):
            raise ValueError(f"choose {self.choose} of {len(self.values)} values.")
        return self

    def weights(self) -> dict[str, float]:
        """Returns value -> weight.

        Raises:
            InputError: The file cannot be read, has too few values, or has one twice.
        """
        if self.file is None:
            return dict(self.values)
        try:
            lines = Path(self.file).read_text(encoding="utf-8").splitlines()
            values = _distinct([line.strip() for line in lines if line.strip() and not line.startswith("#")])
        except (OSError, ValueError) as error:
            why = (
                error.strerror if isinstance(error, OSError) else "it is not UTF-8" if isinstance(error, UnicodeError) else error
            )
            raise InputError(f"The attribute file '{self.file}' cannot be used: {why}") from None
        if len(values) < self.choose:
            raise InputError(f"The attribute file '{self.file}' has {len(values)} values, and {self.choose} are to be chosen.")
        return dict.fromkeys(values, 1.0)


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        raise ValueError(f"YAML reads a value as {str(value).lower()}; put it in quotes.")
    text = " ".join(str(value).split())
    if not text:
        raise ValueError("a value is empty.")
    return text


def _distinct(values: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    for value in values:
        if value.casefold() in seen:
            raise ValueError(f"'{value}' is there twice.")
        seen.add(value.casefold())
    return list(values)


class JointWeight(BaseModel):
    """Values that belong together: drawn together, by their weight; the other attributes are drawn by their own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    of: dict[str, str] = Field(min_length=1)
    """Attribute -> value."""
    weight: Weight = 1.0
    """How often they are drawn, against the others' weights."""


class Grid:
    """The combinations of a recipe's attributes.

    Args:
        attributes: Name -> attribute.
        joint: Which values are drawn together; empty: all attributes are independent.
        combine: `cross`: every combination once; `sample`: drawn.

    Raises:
        InputError: A file cannot be used, or `joint` and `combine` do not fit the attributes.
    """

    def __init__(
        self, attributes: Mapping[str, Attribute], joint: Sequence[JointWeight], combine: Literal["sample", "cross"]
    ) -> None:
        self._weights = {name: attribute.weights() for name, attribute in attributes.items()}
        self._choose = {name: attribute.choose for name, attribute in attributes.items()}
        self._joined_by = {name: attribute.joined_by for name, attribute in attributes.items()}
        self._joint = joint
        for row in joint:
            for name, value in row.of.items():
                if name not in self._weights:
                    raise unknown_name("attribute in joint", name, self._weights)
                if value not in self._weights[name]:
                    raise unknown_name(f"value of attribute {name} in joint", value, self._weights[name])
                if self._choose[name] > 1:
                    raise InputError(f"joint: of attribute {name} several values are chosen at a time; leave it out of joint.")
        self.combinations = math.prod(math.comb(len(values), self._choose[name]) for name, values in self._weights.items())
        """How many there are."""
        if combine == "cross":
            self._check_cross()
        self.cross = self._cross() if combine == "cross" else None
        """Every combination, where all are asked for."""

    def _check_cross(self) -> None:
        if not self._weights:
            raise InputError("combine: cross needs attributes, and there are none.")
        if self._joint or any(len(set(values.values())) > 1 for values in self._weights.values()):
            raise InputError("combine: cross takes every combination once; weights and joint are for combine: sample.")
        if self.combinations > MOST_COMBINATIONS:
            raise InputError(
                f"combine: cross gives {self.combinations:,} combinations for each chunk, at most {MOST_COMBINATIONS:,} may be; "
                "use combine: sample."
            )

    def _cross(self) -> list[Combination]:
        options = [itertools.combinations(values, self._choose[name]) for name, values in self._weights.items()]
        cells = itertools.product(*options)
        return [
            {name: self._joined_by[name].join(chosen) for name, chosen in zip(self._weights, cell, strict=True)} for cell in cells
        ]

    def draw(self, count: int, seed: int, key: str) -> list[Combination]:
        """Returns a chunk's combinations: all, or so many that are drawn, which differ as long as there are others.

        They are the same for a seed and a key, whatever else is in the corpus.
        """
        if self.cross is not None:
            return [dict(cell) for cell in self.cross]
        source = random.Random(hashlib.sha256(f"{seed}\x1f{key}".encode()).digest())
        drawn: list[Combination] = []
        for _ in range(count):
            cell = self._one(source)
            for _ in range(_REDRAWS):
                if cell not in drawn:
                    break
                cell = self._one(source)
            drawn.append(cell)
        return drawn

    def _one(self, source: random.Random) -> Combination:
        cell: Combination = {}
        if self._joint:
            cell |= source.choices(self._joint, [row.weight for row in self._joint])[0].of
        for name, weights in self._weights.items():
            if name not in cell:
                cell[name] = self._joined_by[name].join(_choose(weights, self._choose[name], source))
        return {name: cell[name] for name in self._weights}


def _choose(weights: Mapping[str, float], count: int, source: random.Random) -> list[str]:
    left = dict(weights)
    chosen = []
    for _ in range(count):
        value = source.choices(list(left), list(left.values()))[0]
        del left[value]
        chosen.append(value)
    return chosen
