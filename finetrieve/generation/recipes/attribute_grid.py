"""Attribute grids: what a prompt varies, as a cross product or drawn by weights and joint distributions."""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from finetrieve.core.errors import InputError, unknown_name
from finetrieve.core.paths import ConfigPath
from finetrieve.core.settings import Settings
from finetrieve.generation.recipes.base import CORPUS_WORDS, TOPIC, WORDS, Weight

MOST_COMBINATIONS = 1000
"""Of a cross product, each of which is a request about every chunk."""
_REDRAWS = 20

Combination = dict[str, str]
"""Attribute -> value; several chosen values are joined."""


class Attribute(Settings):
    """What an attribute may be: its values, here or in a file, and how many of them are chosen at a time."""

    values: dict[str, Weight] = Field(default={})
    """Value -> how often it is drawn, against the others' weights."""
    file: ConfigPath | None = None
    """A UTF-8 file with a value a line, in place of `values`."""
    words: Literal["chunk", "corpus"] | None = None
    """In place of `values`, telling words: of the chunk, or of the whole corpus."""
    topics: bool = False
    """In place of `values`, the chunk's topic, of those that `generation.topics` finds."""
    choose: int = Field(default=1, ge=1)
    """So many different values at a time: words that must occur, features."""
    occur_in: str | None = None
    """A field of an answer in which the chosen values have to occur, in any form of their words; else it is asked for again."""
    occur: int | None = Field(default=None, ge=1)
    """So many of the chosen values at least; null: all."""
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
        given = [bool(self.values), self.file is not None, self.words is not None, self.topics]
        if sum(given) != 1:
            raise ValueError(
                "give it values, as [a, b] or {a: 3, b: 1}, or a file with one a line, or words: chunk, or topics: true; "
                "one of them."
            )
        if self.values and self.choose > len(self.values):
            raise ValueError(f"choose {self.choose} of {len(self.values)} values.")
        if self.topics and self.choose > 1:
            raise ValueError(f"choose {self.choose}: a chunk has one topic.")
        if self.occur is not None and (self.occur_in is None or self.occur > self.choose):
            raise ValueError(f"occur {self.occur}: it needs occur_in, and at most choose, which is {self.choose}.")
        if self.occur_in is not None and any(self.joined_by in value for value in self.values):
            raise ValueError(f"occur_in: a value has {self.joined_by!r} in it, which joined_by puts between values.")
        return self

    @property
    def fact(self) -> str | None:
        """Returns the field of `ChunkContext` that has the values, where each chunk has its own."""
        if self.topics:
            return TOPIC
        return {"chunk": WORDS, "corpus": CORPUS_WORDS, None: None}[self.words]

    def occurrence(self, name: str) -> str:
        """Returns what a prompt says of the values that have to occur; in Jinja."""
        return f"At least {self.occur or self.choose} of these occur in it: {{{{ {name} }}}}."

    def weights(self) -> dict[str, float]:
        """Returns value -> weight.

        Raises:
            InputError: The file cannot be read, has too few values, or has one twice.
        """
        if self.file is None:
            return dict(self.values)  # none where each chunk has its own
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


class JointWeight(Settings):
    """Values that belong together: drawn together, by their weight; the other attributes are drawn by their own."""

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
        self._facts = {name: attribute.fact for name, attribute in attributes.items() if attribute.fact is not None}
        self._joint = joint
        for row in joint:
            for name, value in row.of.items():
                if name not in self._weights:
                    raise unknown_name("attribute in joint", name, self._weights)
                if name in self._facts:
                    raise InputError(f"joint: the values of attribute {name} are found in the corpus; leave it out of joint.")
                if value not in self._weights[name]:
                    raise unknown_name(f"value of attribute {name} in joint", value, self._weights[name])
                if self._choose[name] > 1:
                    raise InputError(f"joint: of attribute {name} several values are chosen at a time; leave it out of joint.")
        self.combinations = math.prod(math.comb(len(values), self._choose[name]) for name, values in self._given.items())
        """How many there are, without the values that are found in the corpus."""
        if combine == "cross":
            self._check_cross()
        self.cross = self._cross() if combine == "cross" else None
        """Every combination, where all are asked for."""

    @property
    def _given(self) -> dict[str, dict[str, float]]:
        """Returns attribute -> values with weights, of those whose values are the same for every chunk."""
        return {name: values for name, values in self._weights.items() if name not in self._facts}

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
        given = self._given
        options = [itertools.combinations(values, self._choose[name]) for name, values in given.items()]
        cells = itertools.product(*options)
        return [{name: self._joined_by[name].join(chosen) for name, chosen in zip(given, cell, strict=True)} for cell in cells]

    def draw(self, count: int, seed: int, key: str, facts: Mapping[str, Sequence[str]] | None = None) -> list[Combination]:
        """Returns a chunk's combinations: all, or so many that are drawn, which differ as long as there are others.

        They are the same for a seed, a key and the chunk's facts, whatever else is in the corpus; none where a fact has no value.

        Args:
            count: So many, where not all are asked for.
            seed: Of every draw.
            key: Of the chunk.
            facts: Field of `ChunkContext` -> the values that are found for the chunk.
        """
        found = {name: dict.fromkeys((facts or {}).get(fact, ()), 1.0) for name, fact in self._facts.items()}
        if not all(found.values()):
            return []
        source = random.Random(hashlib.sha256(f"{seed}\x1f{key}".encode()).digest())
        if self.cross is not None:
            return [self._completed(cell, found, source) for cell in self.cross]
        drawn: list[Combination] = []
        for _ in range(count):
            cell = self._one(source, found)
            for _ in range(_REDRAWS):
                if cell not in drawn:
                    break
                cell = self._one(source, found)
            drawn.append(cell)
        return drawn

    def _one(self, source: random.Random, found: Mapping[str, Mapping[str, float]]) -> Combination:
        joint = source.choices(self._joint, [row.weight for row in self._joint])[0].of if self._joint else {}
        return self._completed(joint, found, source)

    def _completed(self, cell: Combination, found: Mapping[str, Mapping[str, float]], source: random.Random) -> Combination:
        """Returns a combination with the attributes that it lacks, drawn."""
        whole = dict(cell)
        for name, weights in {**self._weights, **found}.items():
            if name not in whole:
                chosen = _choose(weights, min(self._choose[name], len(weights)), source)
                whole[name] = self._joined_by[name].join(chosen)
        return {name: whole[name] for name in self._weights}


def _choose(weights: Mapping[str, float], count: int, source: random.Random) -> list[str]:
    left = dict(weights)
    chosen = []
    for _ in range(count):
        value = source.choices(list(left), list(left.values()))[0]
        del left[value]
        chosen.append(value)
    return chosen
