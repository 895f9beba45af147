"""Recipe `tasks` as a distilabel step: lists of tasks first, then the data of each, with the response cache."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

from collections.abc import Iterator
from typing import cast

from distilabel.steps.tasks import TextGeneration
from pydantic import PrivateAttr

from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.distilabel_llm import ProviderLLM
from finetrieve.generation.llm.request import Outcome
from finetrieve.generation.llm.request_scheduler import RequestScheduler
from finetrieve.generation.recipes.base import ChunkResult, RunResources
from finetrieve.generation.recipes.chunk_step import ChunkStep
from finetrieve.generation.recipes.llm_step import build_llm_step, empty_result, is_answered, open_scheduler
from finetrieve.generation.recipes.query_pool import QueryPool
from finetrieve.generation.recipes.tasks_requests import FORMS, TaskDraft, TaskRequests
from finetrieve.generation.recipes.tasks_settings import THOUGHT_UP, TaskKind, TasksSettings


class TasksStep(ChunkStep, TextGeneration):
    """Asks an LLM for tasks, and for rows of each task that is not too near another."""

    _scheduler: RequestScheduler = PrivateAttr()
    _writer: TaskRequests = PrivateAttr()
    _pool: QueryPool = PrivateAttr()

    def open(self) -> None:
        """Opens the response cache and makes what writes and sends requests."""
        self._writer = TaskRequests(cast(TasksSettings, self.recipe))
        self._pool = QueryPool([])
        self._scheduler = open_scheduler(self, cast(ProviderLLM, self.llm))

    def results(self, chunks: Iterator[ChunkContext]) -> Iterator[ChunkResult]:
        """Yields the results; a list or a row that fails has its failure there, and the others go on."""
        recipe = self._writer.recipe
        results: list[ChunkResult] = []
        places: list[tuple[ChunkContext, TaskKind, ChunkResult]] = []
        for chunk in chunks:
            results.append(empty_result())
            places += [(chunk, kind, results[-1]) for kind in recipe.kinds]
        # 1. Lists of tasks.
        asked = [place for place in places if place[1] in THOUGHT_UP]
        outcomes = iter(self._scheduler.send(self._writer.list_request(chunk, kind) for chunk, kind, _ in asked))
        rows: list[tuple[TaskDraft, ChunkResult]] = []
        for chunk, kind, result in places:
            tasks = self._tasks(next(outcomes), result) if kind in THOUGHT_UP else [FORMS[kind].instruction] * recipe.tasks
            rows += [(draft, result) for draft in self._writer.drafts(chunk, kind, tasks, self.seed)]
        # 2. The data of each task.
        for (draft, result), outcome in zip(
            rows, self._scheduler.send(self._writer.request(draft) for draft, _ in rows), strict=True
        ):
            if is_answered(outcome, result):
                columns = self._writer.columns(draft, outcome.parsed)
                result["rows"].append({"columns": columns, "attributes": {n: str(v) for n, v in draft.arguments.items()}})
        return iter(results)

    def _tasks(self, outcome: Outcome, result: ChunkResult) -> list[str]:
        """Returns the first tasks of a list that are not too near another, which join the pool."""
        recipe = self._writer.recipe
        if not is_answered(outcome, result):
            return []
        kept: list[str] = []
        for task in outcome.parsed:
            if len(kept) == recipe.tasks:
                break
            if (near := self._pool.nearest(task, recipe.max_rouge)) is not None:
                reason = f"ROUGE-L {near[1]:.2f} to the task '{near[0]}', less than {recipe.max_rouge:g} wanted"
                result["rejects"].append([task, reason])
            else:
                self._pool.add(task)
                kept.append(task)
        return kept


def build_step(recipe: TasksSettings, seed: int, resources: RunResources) -> TasksStep:
    """Returns the step of a recipe."""
    return build_llm_step(TasksStep, recipe, seed, resources)
