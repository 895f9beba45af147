"""Recipe `descriptions`: what is true of a text in general, and what only sounds so, for similarity as one defines it oneself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from finetrieve.core.errors import InputError
from finetrieve.generation.recipes.base import Estimate, RunResources
from finetrieve.generation.recipes.descriptions_settings import BAD, GOOD, DescriptionsSettings

if TYPE_CHECKING:
    from distilabel.steps import Step

    from finetrieve.generation.chunk_context import ChunkContext


class DescriptionsRecipe(DescriptionsSettings):
    """Descriptions of a chunk as its queries, each with a bad one as its negative.

    Ravfogel et al., Description-based text similarity (2305.12517): an LLM writes good and misleading descriptions of sentences,
    and a second prompt makes a very abstract one. Training tells a text's good description from its bad one and from those of
    other texts; the evaluation finds texts by their descriptions. With small chunks the texts are sentences.
    """

    description: ClassVar[str] = "good and misleading descriptions of each chunk, for similarity as you define it (2305.12517)"

    def check(self, engine: str) -> None:
        """Checks the provider, the prompts and the form of the answer."""
        super().check(engine)
        from finetrieve.generation.recipes.answer_schema import answer_schema, items_schema
        from finetrieve.generation.recipes.prompt_forms import PromptForms

        PromptForms(self.as_prompt())
        schema = answer_schema(self.schema_asked)
        for name in (GOOD, BAD):
            items = items_schema(schema, name)
            if items is None or items.get("type") != "string" or name not in schema.get("required", []):
                raise InputError(
                    f"Recipe '{self.label}': answer: '{name}' is no list of texts that every answer has; write {name}: [text]."
                )

    def estimate(self, chunks: list[ChunkContext], seed: int, responses: Path) -> Estimate:
        """Returns the requests that the cache does not answer, their tokens and cost, and sample prompts."""
        from finetrieve.generation.recipes.prompt_requests import estimate_prompts
        from finetrieve.generation.recipes.query_judge import QueryJudge

        further = []
        if self.judge is not None:
            judged = [chunk for chunk in chunks for _ in range(self.most_judged)]
            further = QueryJudge(self, self.judge, "description").example_requests(judged)
        return estimate_prompts(self.as_prompt(), chunks, seed, responses, coverage=False, further=further)

    def step(self, seed: int, resources: RunResources) -> Step:
        """Returns the distilabel step."""
        from finetrieve.generation.recipes.descriptions_step import DescriptionsStep
        from finetrieve.generation.recipes.prompt_step import build_step

        return build_step(self, seed, resources, DescriptionsStep)
