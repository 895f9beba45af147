"""Recipe `graph`: questions of one chunk or of several, drawn from a graph of the corpus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from finetrieve.generation.recipes.base import Estimate, RunResources
from finetrieve.generation.recipes.graph_settings import GraphSettings

if TYPE_CHECKING:
    from distilabel.steps import Step

    from finetrieve.generation.chunk_context import ChunkContext


class GraphRecipe(GraphSettings):
    """Questions from a graph of chunks: of one chunk or several, specific or abstract, by people whom the corpus suggests.

    The test-set generator of ragas (Es et al., 2309.15217). An LLM, or a count of words, names key phrases and entities of each
    chunk; shared ones and likeness link the chunks. A question of several chunks stays where the LLM finds that none of them
    alone answers it, and has all of them as its answers.
    """

    description: ClassVar[str] = "questions of one or several linked chunks, by personas of the corpus: a graph as ragas makes it"

    def check(self, engine: str) -> None:
        """Checks the provider, the model, and the model that tells likeness."""
        super().check(engine)
        if self.embedding_model is not None:
            from finetrieve.retrieval.base_model import check_base_model

            check_base_model(self.embedding_model)

    def models(self) -> list[str]:
        """Returns the model that tells likeness, where one does."""
        return [self.embedding_model] if self.embedding_model is not None else []

    def estimate(self, chunks: list[ChunkContext], seed: int, responses: Path) -> Estimate:
        """Returns the requests that the cache does not answer, their tokens and cost, and sample prompts; without the checks."""
        from finetrieve.generation.recipes.graph_requests import estimate_graph

        return estimate_graph(self, chunks, seed, responses)

    def step(self, seed: int, resources: RunResources) -> Step:
        """Returns the distilabel step."""
        from finetrieve.generation.recipes.graph_step import build_step

        return build_step(self, seed, resources)
