"""Recipe `few_shot`: more queries like a few of one's own, none too near another, and harder ones made of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from finetrieve.generation.recipes.base import Estimate, RunResources
from finetrieve.generation.recipes.few_shot_settings import FewShotSettings

if TYPE_CHECKING:
    from distilabel.steps import Step

    from finetrieve.generation.chunk_context import ChunkContext


class FewShotRecipe(FewShotSettings):
    """Queries like a few of one's own, and harder ones made of them.

    InPars (Bonifacio et al., 2202.05144) and Promptagator (Dai et al., 2209.11755) ask with a few examples. As in Self-Instruct
    (Wang et al., 2212.10560) a query that is too near one of the pool, which grows with each that is kept, is dropped. The ways
    to make one harder are those of Evol-Instruct (Xu et al., 2304.12244), or the LLM's own: the self-rubrics of CodecLM (Wang et
    al., 2404.05875).
    """

    description: ClassVar[str] = "queries like a few of your own, none too near another, and harder ones made of them"

    def check(self, engine: str) -> None:
        """Checks the provider and the user's queries."""
        super().check(engine)
        self.as_prompt().check(engine)

    def files(self) -> list[Path]:
        """Returns the file of queries."""
        return [Path(self.queries_file)] if self.queries_file is not None else []

    def estimate(self, chunks: list[ChunkContext], seed: int, responses: Path) -> Estimate:
        """Returns the requests that the cache does not answer, their tokens and cost, and sample prompts."""
        from finetrieve.generation.recipes.prompt_requests import estimate_prompts

        found = estimate_prompts(self.as_prompt(), chunks, seed, responses, coverage=False)
        if not self.shown_generated:
            return found
        later = f"  after the first chunks prompts also show {self.shown_generated} queries of the recipe's own, not counted here"
        return replace(found, details=[later, *found.details])

    def step(self, seed: int, resources: RunResources) -> Step:
        """Returns the distilabel step."""
        from finetrieve.generation.recipes.corpus_step import ALL_CHUNKS
        from finetrieve.generation.recipes.few_shot_step import FewShotStep
        from finetrieve.generation.recipes.prompt_step import build_step

        return build_step(self, seed, resources, FewShotStep, ALL_CHUNKS if self.shown_generated else None)
