"""Recipe `triplet`: queries that an LLM writes, with a negative each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from finetrieve.generation.recipes.base import Estimate, RunResources
from finetrieve.generation.recipes.llm_recipe import no_logged_queries
from finetrieve.generation.recipes.triplet_settings import TripletSettings

if TYPE_CHECKING:
    from distilabel.steps import Step

    from finetrieve.generation.chunk_context import ChunkContext


class TripletRecipe(TripletSettings):
    """Queries that an LLM writes, with a negative each: distilabel's GenerateSentencePair, action `query`."""

    description: ClassVar[str] = (
        "queries with negatives written by an LLM: distilabel's GenerateSentencePair in drawn styles and personas"
    )

    def check(self, engine: str) -> None:
        """Checks the provider, the model, the examples and the template."""
        super().check(engine)
        if isinstance(self.examples, str):
            raise no_logged_queries(self.label, "examples")
        if self.template is not None:
            from finetrieve.generation.prompts import UserTemplate

            UserTemplate(Path(self.template))

    def files(self) -> list[Path]:
        """Returns the template."""
        return [Path(self.template)] if self.template else []

    def estimate(self, chunks: list[ChunkContext], seed: int, responses: Path) -> Estimate:
        """Returns the requests that the cache does not answer, their tokens and cost, and sample prompts."""
        from finetrieve.generation.recipes.triplet_prompts import estimate_triplets

        return estimate_triplets(self, chunks, seed, responses)

    def step(self, seed: int, resources: RunResources) -> Step:
        """Returns the distilabel step."""
        from finetrieve.generation.recipes.triplet_step import build_step

        return build_step(self, seed, resources)
