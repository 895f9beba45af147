"""Requests to an LLM that no recipe makes: the same scheduler, answer cache, budget and batches, in no distilabel pipeline."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from distilabel.constants import SIGINT_HANDLER_CALLED_ENV_NAME

from finetrieve.core.generation_report import Usage
from finetrieve.core.progress import Progress
from finetrieve.generation.budget import Budget
from finetrieve.generation.llm.api_keys import keys_in_environment
from finetrieve.generation.llm.batches import BatchExchange
from finetrieve.generation.llm.distilabel_llm import build_llm
from finetrieve.generation.llm.llm_settings import LlmSettings
from finetrieve.generation.llm.request import Outcome, Request
from finetrieve.generation.llm.request_scheduler import RequestScheduler
from finetrieve.generation.llm.response_cache import ResponseCache
from finetrieve.generation.run_progress import check_stopped, reported
from finetrieve.generation.run_state import RunState


def ask(
    settings: LlmSettings, requests: Sequence[Request], responses: Path, budget: Budget, on_progress: Progress | None = None
) -> tuple[list[Outcome], Usage]:
    """Returns what became of each request, and what asking took.

    Args:
        settings: Whom to ask.
        requests: What to ask.
        responses: Directory of the answer cache.
        budget: The most that may be spent.
        on_progress: Told the counts from another thread.

    Raises:
        InputError: The provider or the cache cannot be used, the budget is spent, or a batch was handed over.
        KeyboardInterrupt: A person interrupted it. What was answered is kept.
    """
    if not requests:
        return [], Usage()
    with tempfile.TemporaryDirectory(prefix="finetrieve-ask-") as folder, keys_in_environment([settings]) as key_envs:
        state = RunState.create(Path(folder) / "run_state.sqlite")
        key_env = key_envs.get(settings.row_label)
        # A thread of its own: a notebook has an event loop that runs already.
        with reported(state, len(requests), on_progress), ThreadPoolExecutor(1) as thread:
            asking = thread.submit(_send, settings, requests, responses, budget, key_env, state.path)
            try:
                outcomes = asking.result()
            except KeyboardInterrupt:
                os.environ[SIGINT_HANDLER_CALLED_ENV_NAME] = "1"  # the scheduler's sign to end
                try:
                    asking.exception()
                finally:
                    del os.environ[SIGINT_HANDLER_CALLED_ENV_NAME]
                raise
        check_stopped(state, budget, len(requests), settings.asked_by, f"{settings.label}.budget")
        usage = state.total()
        state.close()
    return outcomes, usage


def _send(
    settings: LlmSettings, requests: Sequence[Request], responses: Path, budget: Budget, key_env: str | None, state_path: Path
) -> list[Outcome]:
    cache = ResponseCache(responses)  # what is wrong with it is reported before a model is loaded
    llm = build_llm(settings, key_env)
    state = RunState(state_path)
    try:
        llm.load()
        try:
            batches = BatchExchange(llm, settings, cache, state, budget, responses) if settings.batch is not None else None
            return RequestScheduler(llm, settings, cache, state, budget, batches).send(requests)
        finally:
            llm.unload()
    finally:
        state.close()
        cache.close()
