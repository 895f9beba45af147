"""Stages of requests that follow each other: asked for all drafts together, one stage after the other."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from finetrieve.generation.llm.request import Outcome
from finetrieve.generation.llm.request_scheduler import RequestScheduler
from finetrieve.generation.recipes.base import ChunkResult
from finetrieve.generation.recipes.llm_step import note_unanswered
from finetrieve.generation.recipes.prompt_requests import Draft, PromptRequests


class StageRunner:
    """Asks the stages of drafts, and ends those that fail or whose score is too low.

    Args:
        writer: Of the requests.
        scheduler: Sends them.
        optional: Stages without which a draft is kept all the same.
    """

    def __init__(self, writer: PromptRequests, scheduler: RequestScheduler, optional: Collection[int] = ()) -> None:
        self._writer, self._scheduler, self._optional = writer, scheduler, optional

    def run(self, drafts: Sequence[tuple[Draft, ChunkResult]], first: int = 0) -> None:
        """Takes the answers of all stages from the first on into the drafts, and into the results what ends one."""
        for stage in range(first, len(self._writer.recipe.stages)):
            live = [(draft, result) for draft, result in drafts if not draft.ended and self.is_wanted(draft, stage)]
            outcomes = self._scheduler.send(self._writer.request(draft, stage) for draft, _ in live)
            for (draft, result), outcome in zip(live, outcomes, strict=True):
                self.take(draft, result, outcome, stage)

    def take(self, draft: Draft, result: ChunkResult, outcome: Outcome, stage: int) -> None:
        """Takes what became of a stage's request into the draft, or into the result what ends it."""
        if outcome.parsed is None:
            if stage not in self._optional:
                draft.ended = "failed" if outcome.failure else "unasked"
            note_unanswered(outcome, result)
            return
        draft.fields |= outcome.parsed
        draft.shortened |= outcome.shortened
        for name, limit in self._writer.recipe.stages[stage].at_least.items():
            score = draft.fields.get(name, float("-inf"))  # a schema may leave it out
            if not draft.ended and score < limit:
                draft.ended = "dropped"
                result["answered"] += 1
                result["rejects"].append([self._summary(draft), f"{name} {score:g}, at least {limit:g} wanted"])

    def is_wanted(self, draft: Draft, stage: int) -> bool:
        """Whether a stage is asked for: where it has conditions, only if one of them holds."""
        limits = self._writer.recipe.stages[stage].if_below
        return not limits or any(draft.fields.get(name, limit) < limit for name, limit in limits.items())

    def _summary(self, draft: Draft) -> str:
        """Returns what a dropped draft would have been, as a reject shows it."""
        rows = self._writer.forms.rows(draft.shown, draft.attributes, draft.fields)
        row = rows[0] if rows else {}
        return str(row.get("query", next(iter(row.values()), "")))
