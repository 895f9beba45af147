"""Recipe `tasks`: data for text embeddings without documents, of tasks that an LLM thinks up first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from finetrieve.generation.recipes.base import Estimate, RunResources
from finetrieve.generation.recipes.tasks_settings import TasksSettings

if TYPE_CHECKING:
    from distilabel.steps import Step

    from finetrieve.generation.chunk_context import ChunkContext


class TasksRecipe(TasksSettings):
    """Queries with their passages and hard negatives for tasks that the LLM thought up, in drawn languages, lengths and levels.

    Wang et al., Improving text embeddings with large language models (2401.00368), by the prompts of distilabel's
    EmbeddingTaskGenerator, GenerateTextRetrievalData, GenerateShortTextMatchingData, GenerateLongTextMatchingData,
    GenerateTextClassificationData, MonolingualTripletGenerator and BitextRetrievalGenerator. First a list of tasks is asked for,
    per chunk and kind; then each task's data. The chunk is only what the tasks are about: a line of a file of subjects will do.
    """

    description: ClassVar[str] = "data for tasks that the LLM thinks up, with hard negatives, no documents needed (2401.00368)"

    def check(self, engine: str) -> None:
        """Checks the provider and the languages."""
        super().check(engine)
        from finetrieve.generation.recipes.tasks_requests import TaskRequests

        TaskRequests(self)

    def files(self) -> list[Path]:
        """Returns the files of languages."""
        return [Path(one.file) for one in (self.row_languages, self.target_languages) if one is not None and one.file is not None]

    def estimate(self, chunks: list[ChunkContext], seed: int, responses: Path) -> Estimate:
        """Returns the requests that the cache does not answer, their tokens and cost, and sample prompts."""
        from finetrieve.generation.recipes.tasks_requests import estimate_tasks

        return estimate_tasks(self, chunks, seed, responses)

    def step(self, seed: int, resources: RunResources) -> Step:
        """Returns the distilabel step."""
        from finetrieve.generation.recipes.tasks_step import build_step

        return build_step(self, seed, resources)
