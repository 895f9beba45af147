"""Batch mode: handed over at half the price, found again after a kill, collected by a later run, never paid twice."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from finetrieve.core.errors import InputError
from finetrieve.generation.budget import Budget
from finetrieve.generation.llm.batches import BatchExchange, BatchRecord, BatchRecords
from finetrieve.generation.llm.distilabel_llm import build_llm
from finetrieve.generation.llm.request import Outcome, Request
from finetrieve.generation.llm.request_scheduler import RequestScheduler
from finetrieve.generation.llm.response_cache import ResponseCache, request_key
from finetrieve.generation.parse_response import parse_response, response_schema
from finetrieve.generation.recipes.llm_step import chunks_per_batch
from finetrieve.generation.recipes.triplet import TripletRecipe
from finetrieve.generation.run_state import RunState
from tests.conftest import needs
from tests.fakes.llm import LlmServer
from tests.generation.conftest import KEY

pytestmark = needs("openai", "anthropic")
LOOP = asyncio.new_event_loop()
MODELS = {"openai": "gpt-4o-mini", "anthropic": "claude-sonnet-4-5"}


def request(number: int) -> Request:
    text = f"To share page {number}, open its menu and choose Share. The page keeps its address."
    messages = [{"role": "system", "content": "Write a query. JSON."}, {"role": "user", "content": f"<chunk>\n{text}\n</chunk>"}]
    schema = response_schema(True)
    return Request(
        request_key({"n": number}), messages, lambda said: parse_response(said, True, text), lambda _: messages, schema
    )


class Run:
    """One run of a recipe in batch mode; another one in the same folder goes on from it."""

    def __init__(self, folder: Path, server: LlmServer, provider: str, budget: Budget | None = None, **batch: Any) -> None:
        address = server.openai if provider == "openai" else server.anthropic
        place = {"provider": provider, "model": MODELS[provider], "base_url": address, "api_key_env": KEY}
        price = {"input": 1000.0, "output": 1000.0}
        self.recipe = TripletRecipe.model_validate({**place, "price": price, "batch": {"poll_seconds": 0.05, **batch}})
        folder.mkdir(exist_ok=True)
        self.state, self.cache = RunState.create(folder / f"state-{time.monotonic_ns()}"), ResponseCache(folder)
        llm = build_llm(self.recipe, None)
        llm._event_loop = LOOP
        llm.load()
        self.client, budget = llm.client, budget or Budget()
        exchange = BatchExchange(llm, self.recipe, self.cache, self.state, budget, folder)
        self.records = exchange._records
        self.scheduler = RequestScheduler(llm, self.recipe, self.cache, self.state, budget, exchange)

    def send(self, count: int, first: int = 0) -> list[Outcome]:
        return self.scheduler.send(request(number) for number in range(first, first + count))


def answered(outcomes: list[Outcome]) -> int:
    return sum(outcome.parsed is not None for outcome in outcomes)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_run_hands_over_and_a_later_one_collects_at_half_the_price(tmp_path: Path, server: LlmServer, provider: str) -> None:
    server.configure(batch_seconds=3600)
    first = Run(tmp_path, server, provider)
    assert answered(first.send(6)) == 1  # the one that goes alone
    reason = first.state.stop_reason()
    assert reason is not None and reason.kind == "submitted" and reason.text.startswith("5 requests are with the provider")
    assert "Run the same command later" in reason.text
    counts = server.stats()
    assert (counts["requests"], counts["batches"], counts["batch_requests"]) == (1, 1, 5)
    early = Run(tmp_path, server, provider)
    assert answered(early.send(6)) == 1 and early.state.stop_reason() is not None
    server.configure(batch_seconds=0)
    late = Run(tmp_path, server, provider)
    outcomes = late.send(6)
    assert answered(outcomes) == 6 and late.state.stop_reason() is None
    counts, usage = server.stats(), late.state.total()
    assert (counts["requests"], counts["batches"]) == (1, 1)
    assert usage.done == 6 and usage.money == pytest.approx((usage.input_tokens + usage.output_tokens) / 1e6 * 1000 / 2)
    assert list(late.records) == []
    again = Run(tmp_path, server, provider)
    assert again.send(6) == outcomes and server.stats()["requests"] == 1


def test_a_run_that_waits_collects_itself_and_asks_again_singly_for_what_cannot_be_used(
    tmp_path: Path, server: LlmServer
) -> None:
    server.configure(batch_seconds=0.3)
    run = Run(tmp_path, server, "openai", wait_minutes=1, most=2)
    assert answered(run.send(6)) == 6
    assert server.stats()["batches"] == 3
    # Answers that do not pass validation are no outcome of a batch.
    other = Run(tmp_path / "other", server, "openai", wait_minutes=1)
    server.configure(faults={"refusal": 1.0}, faulty_attempts=1)
    assert answered(other.send(4, first=10)) == 4
    counts = server.stats()
    assert counts["requests"] >= 1 + 2 + 3, "the first one alone, and each of the others again"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_batch_whose_id_was_never_noted_is_found_again(tmp_path: Path, server: LlmServer, provider: str) -> None:
    server.configure(batch_seconds=60)
    first = Run(tmp_path, server, provider)
    first.send(4)
    [record] = first.records
    first.records.replace(record.model_copy(update={"id": None}))  # as a kill right after handing over leaves it
    server.configure(batch_seconds=0)
    assert answered(Run(tmp_path, server, provider).send(4)) == 4
    assert server.stats()["batches"] == 1
    lost = BatchRecord(tag="0" * 32, id=None, keys=[request(n).key.hex() for n in range(7, 9)], at=time.time())
    later = Run(tmp_path, server, provider, wait_minutes=1)
    assert later.records.add(lost) and not later.records.add(lost)
    assert answered(later.send(9)) == 9 and list(later.records) == []  # noted before it was handed over: asked now


def test_what_is_wrong_with_all_is_found_before_a_batch_and_a_refused_one_says_why(tmp_path: Path, server: LlmServer) -> None:
    server.configure(key="another")
    run = Run(tmp_path, server, "openai")
    assert answered(run.send(3)) == 0 and (reason := run.state.stop_reason()) is not None and reason.kind == "key"
    server.configure(key=server.key, batch_error="The file has too many lines.")
    run = Run(tmp_path, server, "openai", wait_minutes=1)
    run.send(3)
    reason = run.state.stop_reason()
    assert reason is not None and reason.kind == "request" and reason.text == "batch: batch_0: The file has too many lines."
    assert list(run.records) == []


def test_a_batch_beyond_the_budget_is_not_handed_over(tmp_path: Path, server: LlmServer) -> None:
    for budget in (Budget(requests=3), Budget(tokens=150), Budget(money=0.1)):
        run = Run(tmp_path, server, "openai", budget)
        run.send(6)
        reason = run.state.stop_reason()
        assert reason is not None and reason.kind == "budget" and "with a batch of 5 requests" in reason.text
        run.cache.prune()
    assert server.stats()["batches"] == 0


def test_settings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="provider 'ollama' takes no batches; openai and anthropic do"):
        TripletRecipe.model_validate({"provider": "ollama", "model": "m", "batch": {}})
    recipe = TripletRecipe.model_validate({"provider": "openai", "model": "m", "base_url": "http://127.0.0.1:9", "batch": {}})
    with pytest.raises(InputError, match=r"batch needs generation.engine: local"):
        recipe.check("ray")
    assert chunks_per_batch(recipe) > 1_000_000
    (tmp_path / "batches" / "s").mkdir(parents=True)
    (tmp_path / "batches" / "s" / "x.json").write_text(json.dumps({"tag": "x"}))
    with pytest.raises(InputError, match=r"x.json' cannot be read: it notes a batch"):
        list(BatchRecords(tmp_path, "s"))
