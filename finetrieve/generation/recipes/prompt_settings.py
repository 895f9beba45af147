"""What a configuration says of recipe `prompt`. Imports nothing heavy."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field, field_validator

from finetrieve.core.settings import Settings
from finetrieve.generation.recipes.attribute_grid import Attribute, Grid, JointWeight
from finetrieve.generation.recipes.base import Weight
from finetrieve.generation.recipes.llm_recipe import LlmRecipe
from finetrieve.generation.recipes.stages import Judge, Stage


class RankedPairs(Settings):
    """Rows of ranked texts: the best with each of the others, as training by preferences takes them."""

    of: str
    """A list of texts in an answer."""
    by: str
    """A list of numbers in an answer, one for each text in the order of the prompt; more is better."""
    least_margin: float = Field(default=1, gt=0)
    """A text that is behind the best by less makes no row."""


class PromptSettings(LlmRecipe):
    """What a configuration says of recipe `prompt`."""

    name: Literal["prompt"] = "prompt"
    label: str = Field(default="prompt", pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    """Tells several recipes of this kind apart, in rows and reports."""
    queries_per_chunk: int = Field(default=20, ge=1, le=20)
    """At most so many queries are kept per chunk."""
    prompt: str = Field(min_length=1)
    """Jinja: the user message. It can use the attributes, and `text`, `title` and `section` of the chunk."""
    system: str = ""
    """Jinja: the system message, to which the form of the answer is added."""
    answer: dict[str, Any] | None = None
    """Its form, as JSON Schema or short: `{question: text, level: [easy, hard]}`; null: text, the field `answer`."""
    then: list[Stage] = Field(default=[], max_length=8)
    """Requests that follow each answer; of two answers with the same field, the later one counts."""
    judge: Judge | None = None
    """A judge after all of them, for rows that are queries: `judge: {at_least: 7, rewrite: true}`; null: none."""
    attributes: dict[str, Attribute] = Field(default={})
    """What the prompt varies: name -> `[a, b]`, `{a: 3, b: 1}` with weights, or settings."""
    combine: Literal["sample", "cross"] = "sample"
    """`cross`: every combination of attributes once for each chunk; `sample`: drawn."""
    joint: list[JointWeight] = Field(default=[])
    """Values of several attributes that are drawn together."""
    requests: int = Field(default=1, ge=1, le=1000)
    """For each chunk, with `combine: sample`."""
    rows: str | None = None
    """The list in the answer of which each item is a row; null: an answer is one row."""
    pairs: RankedPairs | None = None
    """In place of `rows`, a row for each pair of ranked texts, with the fields `chosen`, `rejected` and `margin`:
    `pairs: {of: answers, by: scores}`; null: none."""
    columns: dict[str, str] = Field(default={})
    """Column of a row -> a field of the answer or of an item, an attribute, or `text`, `title` or `section` of the chunk.

    With `query` and without `chunk`, a row is a query that the document's chunk answers: it goes into training, and may have
    `negative`, `style` and `persona`. Every other row goes into a file of its own. Empty: all fields.
    """
    quotes: list[str] = Field(default=[])
    """Fields of the first answer, texts or lists of them, that have to stand in the chunk word for word."""
    same_language: bool = True
    """A query in another language than its chunk is asked for again."""

    def as_prompt(self) -> PromptSettings:
        """Returns the recipe itself; another one that is such a recipe in the end returns that."""
        return self

    @property
    def stages(self) -> list[Stage]:
        """Returns the requests in their order."""
        judged = []
        if self.judge is not None and (query := self.columns.get("query")) is not None:
            words = [attribute.occurrence(name) for name, attribute in self.attributes.items() if attribute.occur_in == query]
            judged = self.judge.stages(query, note="".join(f" {said}" for said in words))
        return [Stage(prompt=self.prompt, system=self.system, answer=self.answer), *self.then, *judged]

    @property
    def writes_queries(self) -> bool:
        """Whether the rows are queries for the documents' chunks."""
        return "query" in self.columns and "chunk" not in self.columns

    @property
    def corpus_facts(self) -> frozenset[str]:
        """Returns what its attributes take from the corpus."""
        return super().corpus_facts.union(one.fact for one in self.attributes.values() if one.fact is not None)

    @property
    def grid(self) -> Grid:
        """Returns the combinations of attributes.

        Raises:
            InputError: A file of values cannot be used, or the settings do not fit.
        """
        return Grid(self.attributes, self.joint, self.combine)

    @property
    def requests_per_chunk(self) -> int:
        """Returns how many requests a chunk has, when all answers can be used."""
        grid = self.grid
        return (len(grid.cross) if grid.cross is not None else self.requests) * len(self.stages)

    @field_validator("attributes", mode="before", json_schema_input_type=dict[str, list[str] | Attribute | dict[str, Weight]])
    @classmethod
    def _plain_attributes(cls, attributes: Any) -> Any:
        """A list or a mapping to numbers are values."""
        if not isinstance(attributes, dict):
            return attributes
        return {name: {"values": given} if _is_values(given) else given for name, given in attributes.items()}


def with_variables(variables: dict[str, Any], prompt: str) -> str:
    """Returns a template that sets variables first; JSON keeps what is in them from being read as a template."""
    lines = [f"{{% set {name} = {json.dumps(value)} %}}" for name, value in variables.items()]
    return "".join(lines) + prompt


def _is_values(given: Any) -> bool:
    if isinstance(given, dict):
        return not set(given) & set(Attribute.model_fields)
    return isinstance(given, list)
