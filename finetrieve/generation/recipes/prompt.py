"""Recipe `prompt`: rows of any kind, by a prompt, a form of the answer and a grid of attributes in the YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from finetrieve.generation.recipes.base import Estimate, RunResources
from finetrieve.generation.recipes.prompt_settings import PromptSettings

if TYPE_CHECKING:
    from distilabel.steps import Step

    from finetrieve.generation.chunk_context import ChunkContext


class PromptRecipe(PromptSettings):
    """Rows of any kind: a prompt, the form of its answer and a grid of attributes, all of it in the YAML file.

    Grids as in TinyStories (Eldan and Li, 2305.07759) and phi-1 (Gunasekar et al., 2306.11644); rows go into training, or into a
    file of their own.
    """

    description: ClassVar[str] = "any prompt: Jinja, a form of the answer and a grid of attributes in the YAML file, no Python"

    def check(self, engine: str) -> None:
        """Checks the provider, the prompts, the forms of the answers, the grid and the columns."""
        super().check(engine)
        from finetrieve.generation.recipes.prompt_forms import PromptForms

        PromptForms(self)

    def files(self) -> list[Path]:
        """Returns the files of values."""
        return [Path(attribute.file) for attribute in self.attributes.values() if attribute.file is not None]

    def estimate(self, chunks: list[ChunkContext], seed: int, responses: Path) -> Estimate:
        """Returns the requests that the cache does not answer, their tokens and cost, the grid's coverage and sample prompts."""
        from finetrieve.generation.recipes.prompt_requests import estimate_prompts

        return estimate_prompts(self, chunks, seed, responses)

    def step(self, seed: int, resources: RunResources) -> Step:
        """Returns the distilabel step."""
        from finetrieve.generation.recipes.prompt_step import build_step

        return build_step(self, seed, resources)
