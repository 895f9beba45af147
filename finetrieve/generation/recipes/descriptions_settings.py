"""What a configuration says of recipe `descriptions`. Imports nothing heavy."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from finetrieve.core.settings import Settings
from finetrieve.generation.recipes.llm_recipe import LlmRecipe
from finetrieve.generation.recipes.prompt import PromptRecipe
from finetrieve.generation.recipes.prompt_settings import with_variables
from finetrieve.generation.recipes.stages import Judge, Stage

GOOD, BAD, ABSTRACT = "good", "bad", "abstract"
"""Fields of the answers."""
_SIMILAR = "Two texts are similar if the same description, which leaves out the details, is true of both."
_PROMPT = """\
{{ similar }}

{% for example in examples %}An example:
{{ example.text }}
Good descriptions:
- {{ example.good | join("\\n- ") }}
Bad descriptions:
- {{ example.bad | join("\\n- ") }}

{% endfor %}Write up to {{ most }} good and up to {{ most }} bad descriptions of the following text, in its language.

A good description is true of the text. A person who gives it wants to find this text and those that are similar to it. It is one
line, says in general what the text says in particular, and shares few words with it. A bad description has the same form and the
same subject, and could be taken for a good one, but one thing in it is not true of the text: who, what, why, when or how. No two
descriptions say the same. None mentions "the text".

{{ text }}"""
_ABSTRACT = """\
{{ text }}

This description is true of the text above:

- {{ good[0] }}

Write a much more abstract one, in the same language: in place of everything that has a name, the kind of thing that it is, and no
detail that could be left out. It is one line and still true of the text."""


class DescribedText(Settings):
    """An example for the prompt: a text with descriptions."""

    text: str = Field(min_length=1)
    """The text."""
    good: list[str] = Field(min_length=1)
    """What is true of it."""
    bad: list[str] = Field(min_length=1)
    """What sounds so and is not."""


class DescriptionsSettings(LlmRecipe):
    """What a configuration says of recipe `descriptions`."""

    name: Literal["descriptions"] = "descriptions"
    label: str = Field(default="descriptions", pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    """Tells several recipes of this kind apart, in rows and reports."""
    queries_per_chunk: int = Field(default=6, ge=1, le=20)
    """At most so many descriptions are kept per chunk, the abstract one included."""
    similar: str = Field(default=_SIMILAR, min_length=1)
    """Tells the LLM when two texts are similar, which is when one description is true of both."""
    examples: list[DescribedText] = Field(default=[], max_length=8)
    """Texts with good and bad descriptions, for the prompt."""
    descriptions: int = Field(default=5, ge=1, le=10)
    """So many good and so many bad ones are asked for at most."""
    least_characters: int = Field(default=20, ge=1, le=200)
    """Of a description; a shorter one is asked for again."""
    abstract: bool = True
    """A second request makes a very abstract description of the first good one."""
    prompt: str = Field(default=_PROMPT, min_length=1)
    """Jinja, in place of our own. It can use `similar`, `examples`, `most`, and `text`, `title` and `section` of the chunk."""
    abstract_prompt: str = Field(default=_ABSTRACT, min_length=1)
    """Jinja, likewise, and the list `good`; the answer's field is `abstract`."""
    judge: Judge | None = None
    """The LLM judges each description, and mends it once: `judge: {at_least: 7, rewrite: true}`; null: it does not."""
    answer: dict[str, Any] | None = None
    """A form of the answer in place of our own, with the lists of texts `good` and `bad`, and whatever else you ask for."""

    @property
    def schema_asked(self) -> dict[str, Any]:
        """Returns the form of the first answer."""
        if self.answer is not None:
            return self.answer
        texts = {
            "type": "array",
            "minItems": 1,
            "maxItems": self.descriptions,
            "items": {"type": "string", "minLength": self.least_characters},
        }
        return {GOOD: texts, BAD: texts}

    def as_prompt(self) -> PromptRecipe:
        """Returns the recipe `prompt` that asks for the descriptions."""
        asked = {name: getattr(self, name) for name in LlmRecipe.model_fields if name != "name"}
        examples = [example.model_dump() for example in self.examples]
        values = {"similar": self.similar, "examples": examples, "most": self.descriptions}
        abstract = {ABSTRACT: {"type": "string", "minLength": self.least_characters}}
        return PromptRecipe(
            **asked,
            prompt=with_variables(values, self.prompt),
            answer=self.schema_asked,
            then=[Stage(prompt=with_variables(values, self.abstract_prompt), answer=abstract)] if self.abstract else [],
            columns={"query": GOOD, "negative": BAD},
        )

    @property
    def requests_per_chunk(self) -> int:
        """Returns how many requests a chunk has, when all answers can be used."""
        asked = 1 + self.abstract
        return asked + (self.most_judged * len(self.judge.stages("query")) if self.judge is not None else 0)

    @property
    def most_judged(self) -> int:
        """Returns how many descriptions of a chunk a judge sees at most."""
        return min(self.queries_per_chunk, self.descriptions + self.abstract)

    @model_validator(mode="after")
    def _examples_differ(self) -> DescriptionsSettings:
        for number, example in enumerate(self.examples):
            if both := set(example.good) & set(example.bad):
                raise ValueError(f"examples[{number}]: '{min(both)}' is a good and a bad description.")
        return self
