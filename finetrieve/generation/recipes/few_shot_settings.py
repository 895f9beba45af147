"""What a configuration says of recipe `few_shot`. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from finetrieve.core.errors import InputError
from finetrieve.core.paths import ConfigPath
from finetrieve.core.text import normalise_query
from finetrieve.generation.recipes.attribute_grid import Attribute
from finetrieve.generation.recipes.base import Weight
from finetrieve.generation.recipes.llm_recipe import LlmRecipe, no_logged_queries
from finetrieve.generation.recipes.prompt import PromptRecipe
from finetrieve.generation.recipes.prompt_settings import with_variables
from finetrieve.generation.recipes.stages import Judge, Stage

OPERATIONS: dict[str, str] = {
    "constrain": "it has one more condition, which the text speaks of",
    "deepen": "it asks for what lies behind: the reason, the consequence or the limit",
    "concretise": "a general word in it becomes the concrete case of one person",
    "reason": "two statements of the text are needed to answer it",
}
"""Ways to make a query harder."""
_PROMPT = """\
{% if context %}{{ context }}

{% endif %}These are queries that people typed:

- {{ shown }}

Write a query that one of these people could type next, and that the following text answers. It has their manner, length and
spelling. It repeats none of the queries above and copies no sentence of the text.

{{ text }}"""
SHOWN, EXAMPLE_SEPARATOR = "shown", "\n- "
"""The variable with the examples of a prompt, and what stands between them."""
_RUBRICS_AT_MOST = 4
"""As the prompt says."""
_SHOWN_QUERY = """\
{{ text }}

A person typed this query, which the text above answers:

- {{ query }}
"""
_RUBRICS = (
    _SHOWN_QUERY
    + """
Say first what it is for: its use case, in a few words, and up to three skills that whoever answers it needs. Then think of all
queries of this use case that ask for these skills. Write up to four rubrics: each says what tells a demanding and useful one of
them from a simple one. For each rubric write an action: what to do with a query so that it does better by the rubric, in one
sentence that holds for any query of this use case."""
)
_IMPROVE = (
    _SHOWN_QUERY
    + """
Its use case: {{ use_case }}. Improve it so:

- {{ actions[(action_number | int) % (actions | length)] }}

It stays one line that a person would type, of at most 30 words, and the text still answers it."""
)
_EVOLVE = """\
{{ text }}

A person typed this query, which the text above answers:

- {{ query }}

Rewrite it so that {{ operations[operation] }}. It stays one line that a person would type, of at most 30 words, and the text
still answers it."""

_LINE: dict[str, Any] = {"type": "string", "minLength": 3}
_RUBRICS_ANSWER: dict[str, Any] = {
    "use_case": _LINE,
    **{
        name: {"type": "array", "minItems": 1, "maxItems": most, "items": _LINE}
        for name, most in (("skills", 3), ("rubrics", _RUBRICS_AT_MOST), ("actions", _RUBRICS_AT_MOST))
    },
}
_RUBRIC_ATTRIBUTES = {
    "action_number": Attribute(values={str(number): 1.0 for number in range(_RUBRICS_AT_MOST)}),
    "style": Attribute(values={"self_rubrics": 1.0}),
}


class FewShotSettings(LlmRecipe):
    """What a configuration says of recipe `few_shot`."""

    imitating_key: ClassVar[str] = "queries"

    name: Literal["few_shot"] = "few_shot"
    label: str = Field(default="few_shot", pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    """Tells several recipes of this kind apart, in rows and reports."""
    queries: list[str] | Literal["query_logs"] = Field(default=[])
    """Your own queries, as people type them; `query_logs`: those of `query_logs`, or of --queries."""
    queries_file: ConfigPath | None = None
    """A UTF-8 file with a query a line, in place of `queries`."""
    shown: int = Field(default=5, ge=1, le=50)
    """Of your queries, drawn for each request; no more than there are."""
    shown_generated: int = Field(default=0, ge=0, le=50)
    """Beside them, so many of the queries that the recipe wrote for other chunks and kept (Self-Instruct shows 6 and 2)."""
    context: str = ""
    """Tells the LLM what the documents are and who asks."""
    max_rouge: float = Field(default=0.7, gt=0, le=1)
    """A query that is as near to another (ROUGE-L, 0..1) is dropped; 1: only the same words."""
    evolve: dict[str, Weight] = Field(default={})
    """Ways to make each query harder, `constrain`, `deepen`, `concretise`, `reason`, with weights; empty: none is."""
    self_rubrics: bool = False
    """In their place, the LLM says what a query is for, writes rubrics and actions for it, and improves it by one action."""
    judge: Judge | None = None
    """The LLM judges each query, and mends it once: `judge: {at_least: 7, rewrite: true}`; null: it does not."""

    @property
    def own_queries(self) -> list[str]:
        """Returns the user's queries.

        Raises:
            InputError: There are none, one is there twice, or the file cannot be read.
        """
        if isinstance(self.queries, str):
            raise no_logged_queries(self.label, "queries")
        found = self.queries if self.queries_file is None else _read_lines(Path(self.queries_file))
        place = "queries" if self.queries_file is None else f"queries_file '{self.queries_file}'"
        if not found:
            raise InputError(f"Recipe '{self.label}': {place} has no query; give a few, as people type them.")
        seen: set[str] = set()
        for query in found:
            if (words := normalise_query(query)) in seen:
                raise InputError(f"Recipe '{self.label}': {place}: '{query}' is there twice.")
            seen.add(words)
        return found

    def as_prompt(self) -> PromptRecipe:
        """Returns the recipe `prompt` that asks for the queries.

        Raises:
            InputError: The user's queries cannot be used.
        """
        own = self.own_queries
        asked = {name: getattr(self, name) for name in LlmRecipe.model_fields if name != "name"}
        attributes = {
            SHOWN: Attribute(values=dict.fromkeys(own, 1.0), choose=min(self.shown, len(own)), joined_by=EXAMPLE_SEPARATOR),
            **({"operation": Attribute(values=self.evolve)} if self.evolve else {}),
            **(_RUBRIC_ATTRIBUTES if self.self_rubrics else {}),
        }
        answer = {"query": "text"}
        then = [Stage(prompt=with_variables({"operations": OPERATIONS}, _EVOLVE), answer=answer)] if self.evolve else []
        if self.self_rubrics:
            then = [Stage(prompt=_RUBRICS, answer=_RUBRICS_ANSWER), Stage(prompt=_IMPROVE, answer=answer)]
        return PromptRecipe(
            **asked,
            prompt=with_variables({"context": self.context}, _PROMPT),
            answer=answer,
            then=then,
            attributes=attributes,
            requests=self.queries_per_chunk,
            judge=self.judge,
            columns={"query": "query", **({"style": "operation"} if self.evolve else {})},
        )

    @property
    def requests_per_chunk(self) -> int:
        """Returns how many requests a chunk has, when all answers can be used."""
        judged = len(self.judge.stages("query")) if self.judge is not None else 0
        return self.queries_per_chunk * (1 + bool(self.evolve) + 2 * self.self_rubrics + judged)

    @field_validator("queries", mode="before")
    @classmethod
    def _one_line_each(cls, queries: Any) -> Any:
        if not isinstance(queries, list):
            return queries
        for query in queries:
            if not isinstance(query, str) or not any(sign.isalnum() for sign in query):
                raise ValueError(f"{query!r} is no query; put a query in quotes where YAML reads it otherwise.")
        return [" ".join(query.split()) for query in queries]

    @model_validator(mode="after")
    def _usable(self) -> FewShotSettings:
        if bool(self.queries) == (self.queries_file is not None):
            raise ValueError("give queries, or queries_file with one a line.")
        if unknown := sorted(set(self.evolve) - set(OPERATIONS)):
            raise ValueError(f"evolve: unknown way '{unknown[0]}'. Choose of: {', '.join(OPERATIONS)}.")
        if self.evolve and self.self_rubrics:
            raise ValueError("self_rubrics takes the place of evolve: leave one of them out, or list the recipe twice.")
        return self


def _read_lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f"queries_file '{path}' cannot be read: {why}. Give a text file with a query a line.") from None
    return [" ".join(line.split()) for line in lines if any(sign.isalnum() for sign in line) and not line.startswith("#")]
