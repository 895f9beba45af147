"""Recipe `axes`: exact numbers of questions per document by type and reasoning, with the passages that support them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from finetrieve.generation.recipes.axes_settings import AxesSettings
from finetrieve.generation.recipes.base import Estimate, RunResources

if TYPE_CHECKING:
    from distilabel.steps import Step

    from finetrieve.generation.chunk_context import ChunkContext


class AxesRecipe(AxesSettings):
    """Questions at exact numbers per document of each query type with each reasoning type, with the passages that support them.

    NVIDIA's recipe for synthetic retrieval data: the axes are independent of each other, the LLM names and quotes the passages
    that the answer takes, which is checked, and a judge scores each question from 0 to 10. What is refused is asked for again,
    so that the numbers are met. A question of several passages has all of them as its answers.
    """

    description: ClassVar[str] = "exact numbers per document of each query type with each reasoning type, with checked passages"

    def estimate(self, chunks: list[ChunkContext], seed: int, responses: Path) -> Estimate:
        """Returns the requests that the cache does not answer, their tokens and cost, and sample prompts; without the judge's."""
        from finetrieve.generation.recipes.axes_requests import estimate_axes

        return estimate_axes(self, chunks, seed, responses)

    def step(self, seed: int, resources: RunResources) -> Step:
        """Returns the distilabel step."""
        from finetrieve.generation.recipes.axes_step import build_step

        return build_step(self, seed, resources)
