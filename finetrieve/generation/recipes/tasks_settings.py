"""What a configuration says of recipe `tasks`. Imports nothing heavy."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from finetrieve.generation.recipes.attribute_grid import Attribute
from finetrieve.generation.recipes.base import Weight
from finetrieve.generation.recipes.llm_recipe import LlmRecipe

TaskKind = Literal["retrieval", "short_matching", "long_matching", "classification", "similarity", "translation"]
THOUGHT_UP: tuple[TaskKind, ...] = ("retrieval", "short_matching", "long_matching", "classification")
"""Kinds whose tasks are asked for first; the others are one task each."""


class TasksSettings(LlmRecipe):
    """What a configuration says of recipe `tasks`."""

    name: Literal["tasks"] = "tasks"
    label: str = Field(default="tasks", pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    """Tells several recipes of this kind apart, in rows and reports."""
    kinds: list[TaskKind] = Field(default=list(THOUGHT_UP), min_length=1)
    """`retrieval`, `short_matching`, `long_matching`, `classification` (a text, its label and a misleading one), `similarity`
    (three texts, of which two are nearer), `translation` (likewise in two languages)."""
    tasks: int = Field(default=5, ge=1, le=20)
    """Of each kind, for each chunk; of a list of about 20 that the LLM thinks up, the first that are new."""
    examples: int = Field(default=1, ge=1, le=50)
    """Rows for each task."""
    row_languages: Attribute = Attribute(values={"English": 1.0})
    """Drawn for each row: `[English, German]`, `{English: 3, German: 1}`, or `{file: ...}` with one a line."""
    target_languages: Attribute | None = None
    """Of `translation`, likewise; null: `row_languages`. It needs one that is not the source's."""
    about: bool = True
    """The tasks are about the chunk's subject; false: about anything, and another chunk is only another list."""
    max_rouge: float = Field(default=0.7, gt=0, le=1)
    """A task that is as near to another (ROUGE-L, 0..1) is dropped."""
    instruct: bool = False
    """A query is written as `Instruct: TASK`, a new line, `Query: QUERY`: for models that were trained so."""

    @property
    def requests_per_chunk(self) -> int:
        """Returns how many requests a chunk has, when all answers can be used."""
        return sum(self.tasks * self.examples + (kind in THOUGHT_UP) for kind in self.kinds)

    @field_validator(
        "row_languages",
        "target_languages",
        mode="before",
        json_schema_input_type=list[str] | Attribute | dict[str, Weight] | None,
    )
    @classmethod
    def _plain_languages(cls, given: Any) -> Any:
        """A list or a mapping to numbers are values."""
        plain = isinstance(given, list) or (isinstance(given, dict) and not set(given) & set(Attribute.model_fields))
        return {"values": given} if plain else given

    @model_validator(mode="after")
    def _usable(self) -> TasksSettings:
        if twice := [kind for kind in self.kinds if self.kinds.count(kind) > 1]:
            raise ValueError(f"kinds: '{twice[0]}' is there twice.")
        for attribute in (self.row_languages, self.target_languages):
            if attribute is not None and attribute.choose != 1:
                raise ValueError(f"choose: {attribute.choose} languages at a time; a row is written in one.")
        return self
