"""A judge of queries that are there already: those of recipes `triplet` and `descriptions`."""

from __future__ import annotations

from collections.abc import Sequence

from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.llm.request import Request
from finetrieve.generation.llm.request_scheduler import RequestScheduler
from finetrieve.generation.recipes.base import ChunkResult
from finetrieve.generation.recipes.llm_recipe import LlmRecipe
from finetrieve.generation.recipes.llm_step import empty_result
from finetrieve.generation.recipes.prompt import PromptRecipe
from finetrieve.generation.recipes.prompt_requests import Draft, PromptRequests, following_requests
from finetrieve.generation.recipes.stage_runner import StageRunner
from finetrieve.generation.recipes.stages import Judge, Judged, Stage

_QUERY, _NEGATIVE = "query", "negative"


class _JudgedRows(PromptRecipe):
    """The judge's requests after an answer that another prompt got."""

    judged: Judged = "query"

    @property
    def stages(self) -> list[Stage]:
        """Returns the answer that is there, and the judge's requests."""
        first = Stage(prompt=self.prompt, answer=self.answer)
        return [first, *(self.judge.stages(_QUERY, self.judged) if self.judge is not None else [])]


class QueryJudge:
    """Has an LLM judge queries, mend them once, and drops those that stay below the limit.

    Args:
        recipe: Whom to ask.
        judge: The limit, and whether a query is mended.
        judged: What the queries are.
    """

    def __init__(self, recipe: LlmRecipe, judge: Judge, judged: Judged = "query") -> None:
        asked = {name: getattr(recipe, name) for name in LlmRecipe.model_fields if name != "name"}
        self._most = recipe.queries_per_chunk
        self._writer = PromptRequests(
            _JudgedRows(
                **asked,
                prompt="{{ text }}",
                answer={_QUERY: "text", _NEGATIVE: "text"},
                judge=judge,
                judged=judged,
                columns={_QUERY: _QUERY, _NEGATIVE: _NEGATIVE},
            )
        )

    def judge(
        self, scheduler: RequestScheduler, chunks: Sequence[ChunkContext], results: Sequence[ChunkResult]
    ) -> list[ChunkResult]:
        """Returns the chunks' results with the queries that the judge lets pass; more than are kept per chunk are not judged."""
        judged: list[ChunkResult] = [{**empty_result(), **result, "queries": []} for result in results]
        drafts = [
            (self._draft(chunk, row["query"], row), after)
            for chunk, before, after in zip(chunks, results, judged, strict=True)
            for row in before["queries"][: self._most]
        ]
        StageRunner(self._writer, scheduler).run(drafts, first=1)
        for draft, result in drafts:
            if not draft.ended:
                result["answered"] += 1
                [row] = self._writer.rows(draft, draft.fields)
                result["queries"].append({**row, "shortened": draft.shortened})
        return judged

    def example_requests(self, chunks: Sequence[ChunkContext]) -> list[Request]:
        """Returns the requests about an example of a query for each of these chunks, for an estimate of what they cost."""
        return following_requests(self._writer, [self._draft(chunk, "x", {}) for chunk in chunks])

    @staticmethod
    def _draft(chunk: ChunkContext, query: str, row: ChunkResult) -> Draft:
        attributes = {name: str(row.get(name, "")) for name in ("style", "persona")}
        fields = {_QUERY: query, _NEGATIVE: row.get("negative")}
        return Draft(chunk, attributes, 0, fields, bool(row.get("shortened")))
