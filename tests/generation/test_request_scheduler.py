"""Many requests at once, each with a fate of its own: the asker with a real client, a real cache and a loopback server."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finetrieve.core.generation_report import Usage
from finetrieve.generation.budget import Budget
from finetrieve.generation.llm import request_scheduler
from finetrieve.generation.llm.distilabel_llm import build_llm
from finetrieve.generation.llm.providers.base import ProviderOptions
from finetrieve.generation.llm.providers.llamacpp import LlamaCpp
from finetrieve.generation.llm.providers.openai import OpenAI
from finetrieve.generation.llm.request import Outcome, Request
from finetrieve.generation.llm.request_scheduler import STOPPED, RequestScheduler
from finetrieve.generation.llm.response_cache import ResponseCache, request_key
from finetrieve.generation.parse_response import parse_response, response_schema
from finetrieve.generation.prompts import system_addition
from finetrieve.generation.recipes.triplet import TripletRecipe
from finetrieve.generation.run_state import RunState
from tests.conftest import needs
from tests.fakes.llm import LlmServer
from tests.generation.conftest import KEY

pytestmark = [needs("openai"), pytest.mark.slow]
LOOP = asyncio.new_event_loop()
SYSTEM = {"role": "system", "content": f"Write a query. {system_addition(True, True)}"}


def text_of(number: int) -> str:
    return f"To share page {number}, open its menu and choose Share. The page keeps its address, and readers see changes at once."


def messages(text: str) -> list[dict[str, str]]:
    return [SYSTEM, {"role": "user", "content": f"<chunk>\n{text}\n</chunk>"}]


def requests(numbers: range, text: Callable[[int], str] = text_of) -> list[Request]:
    return [request(text(number)) for number in numbers]


def request(text: str) -> Request:
    return Request(
        request_key({"text": text}),
        messages(text),
        lambda response: parse_response(response, True, text),
        lambda share: messages(text[: int(len(text) * share)]),
        response_schema(True),
    )


class Sending:
    """A scheduler with all that it needs, in one folder."""

    def __init__(self, folder: Path, server: LlmServer, budget: Budget | None = None, **recipe: Any) -> None:
        place = {"provider": "openai", "model": "gpt-4o-mini", "base_url": server.openai, "api_key_env": KEY}
        self.recipe = TripletRecipe.model_validate({"timeout": 20, "concurrency": 8, **place, **recipe})
        folder.mkdir(exist_ok=True)
        path = folder / f"state-{time.monotonic_ns()}.sqlite"
        self.run_state, self.cache = RunState.create(path), ResponseCache(folder / "answers")
        llm = build_llm(self.recipe, None)
        llm._event_loop = LOOP
        llm.load()
        self.llm, self.budget = llm, budget or Budget()
        self.scheduler = RequestScheduler(llm, self.recipe, self.cache, self.run_state, self.budget)

    def send(self, asked: Iterable[Request]) -> list[Outcome]:
        return self.scheduler.send(asked)

    @property
    def usage(self) -> Usage:
        return self.run_state.total()


def good(outcomes: list[Outcome]) -> int:
    return sum(outcome.text is not None for outcome in outcomes)


def test_what_the_cache_holds_costs_nothing_and_the_counts_say_so(tmp_path: Path, server: LlmServer) -> None:
    asked = requests(range(20))
    first = Sending(tmp_path, server).send(asked)
    assert good(first) == 20
    second = Sending(tmp_path, server)
    assert second.send(asked + requests(range(20, 23))) == first + second.send(requests(range(20, 23)))
    assert server.stats()["requests"] == 23
    usage = second.usage
    assert (usage.done, usage.hits, usage.requests, usage.failed) == (26, 23, 3, 0)
    assert usage.input_tokens > 3 * 100 and usage.output_tokens > 3 * 10


def test_a_request_is_written_only_when_its_turn_has_come(tmp_path: Path, server: LlmServer) -> None:
    ahead = []

    def written_late() -> Iterator[Request]:
        for number in range(400):
            ahead.append(number - server.stats()["answered"])
            yield request(text_of(number))

    sending = Sending(tmp_path, server)
    assert good(sending.send(written_late())) == 400
    assert max(ahead) < 160, "what is looked up in the cache at once, and what is in flight"
    assert sending.send(written_late()) == sending.send(requests(range(400)))
    assert server.stats()["requests"] == 400


def test_a_text_that_is_there_twice_is_asked_for_once_and_counted_twice(tmp_path: Path, server: LlmServer) -> None:
    sending = Sending(tmp_path, server)
    outcomes = sending.send([*requests(range(3)), *requests(range(3))])
    assert outcomes[:3] == outcomes[3:] and good(outcomes) == 6
    assert server.stats()["requests"] == 3
    assert (sending.usage.done, sending.usage.hits) == (6, 3)


def test_requests_go_in_a_sliding_window_of_the_recipes_width(tmp_path: Path, server: LlmServer) -> None:
    server.configure(latency=0.2, sigma=0.8)
    sending = Sending(tmp_path, server, concurrency=16)
    started = time.monotonic()
    assert good(sending.send(requests(range(160)))) == 160
    assert server.stats()["most_in_flight"] == 16
    assert time.monotonic() - started < 2 * 160 * 0.2 / 16 + 1, "a barrier per 16 would wait for the slowest of each"


def test_the_first_request_goes_alone_but_does_not_hold_the_others_up_for_long(
    tmp_path: Path, server: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_scheduler, "_ALONE_SECONDS", 0.4)
    server.configure(latency=1.0, sigma=0)
    sending = Sending(tmp_path, server)
    started = time.monotonic()
    assert good(sending.send(requests(range(8)))) == 8
    assert 1.2 < time.monotonic() - started < 1.95
    server.configure(latency=0.3)
    assert good(sending.send(requests(range(8, 16)))) == 8, "the next batch knows that it works"


@pytest.mark.parametrize("kind", ["rate_limit", "server_error", "unavailable", "bad_gateway", "reset", "half_body", "hang"])
def test_a_fault_of_the_line_is_waited_out(tmp_path: Path, server: LlmServer, kind: str) -> None:
    server.configure(faults={kind: 0.3}, faulty_attempts=2)
    sending = Sending(tmp_path, server, timeout=0.5 if kind == "hang" else 20)
    assert good(sending.send(requests(range(20)))) == 20
    stats = server.stats()
    assert stats["answered"] == stats["answered_distinct"] == 20
    assert sending.usage.retries == stats["requests"] - 20 == stats["outcomes"][kind] > 0
    assert sending.usage.requests == stats["requests"]


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("refusal", "refusal"),
        ("content_filter", "refusal"),
        ("truncated", "truncated"),
        ("empty", "empty"),
        ("garbage", "unparsable"),
        ("wrong_schema", "unparsable"),
        ("wrong_language", "language"),
        ("instructions", "instructions"),
    ],
)
def test_an_answer_that_cannot_be_used_is_asked_for_again_and_then_kept_with_the_reason(
    tmp_path: Path, server: LlmServer, kind: str, failure: str
) -> None:
    Sending(tmp_path, server).send(requests(range(4)))
    server.configure(outage=kind)
    sending = Sending(tmp_path, server, asks=3)
    outcomes = sending.send(requests(range(8)))
    assert good(outcomes[:4]) == 4 and good(outcomes[4:]) == 0
    assert {outcome.failure for outcome in outcomes[4:]} == {failure}
    assert all("in 3 tries" in outcome.reason for outcome in outcomes[4:])
    if kind not in ("empty", "content_filter"):
        assert all(outcome.raw for outcome in outcomes[4:])
    assert (sending.usage.failed, sending.usage.requests, sending.usage.retries) == (4, 12, 0)
    server.configure(outage=None)
    server.reset()
    assert good(Sending(tmp_path, server).send(requests(range(8)))) == 8
    assert server.stats()["requests"] == 4, "asking again asks only for what failed"


@pytest.mark.parametrize("kind", ["refusal", "truncated", "empty", "garbage", "wrong_schema", "wrong_language", "instructions"])
def test_an_answer_that_is_better_the_second_time_is_a_row(tmp_path: Path, server: LlmServer, kind: str) -> None:
    server.configure(faults={kind: 0.5}, faulty_attempts=1)
    sending = Sending(tmp_path, server)
    assert good(sending.send(requests(range(12)))) == 12
    assert server.stats()["outcomes"][kind] > 2
    server.reset()
    assert good(Sending(tmp_path, server).send(requests(range(12)))) == 12
    assert server.stats()["requests"] == 0, "kept under the request as it was first made"


def said_to(sending: Sending) -> list[Any]:
    """Returns the list to which each conversation is added that the model gets from now on."""
    said: list[Any] = []
    ask = sending.llm.client.complete

    async def listening(sent: Any, *rest: Any) -> Any:
        said.append(sent)
        return await ask(sent, *rest)

    sending.llm.client.complete = listening  # type: ignore[method-assign]
    return said


def test_the_model_is_told_once_what_was_wrong_with_its_answer_and_then_asked_afresh(tmp_path: Path, server: LlmServer) -> None:
    sending = Sending(tmp_path, server, asks=4)
    said = said_to(sending)
    server.configure(outage="wrong_schema")
    sending.send(requests(range(1)))
    assert said[0] == said[2] == said[3]
    assert [message["role"] for message in said[1]] == ["system", "user", "assistant", "user"]
    assert said[1][:2] == said[0] and "my_positive" in said[1][2]["content"]
    assert "the JSON's 'positive': field required" in said[1][3]["content"]


def test_orders_in_an_answer_are_not_said_to_the_model(tmp_path: Path, server: LlmServer) -> None:
    sending = Sending(tmp_path, server, asks=3)
    said = said_to(sending)
    server.configure(outage="instructions")
    [outcome] = sending.send(requests(range(1)))
    assert "Ignore all previous instructions" in outcome.raw
    assert said == [messages(text_of(0))] * 3


def test_an_answer_that_is_cut_off_is_asked_for_with_more_room_than_before(tmp_path: Path, server: LlmServer) -> None:
    sending = Sending(tmp_path, server, model="gpt-5-mini", sampling={"max_tokens": 40})  # it thinks for 64 tokens
    assert good(sending.send(requests(range(2)))) == 2
    limits: list[int | None] = []
    large = Sending(tmp_path, server, asks=4, sampling={"max_tokens": 4000})
    ask = large.llm.client.complete

    async def listening(sent: Any, schema: Any, limit: int | None) -> Any:
        limits.append(limit)
        return await ask(sent, schema, limit)

    large.llm.client.complete = listening  # type: ignore[method-assign]
    server.configure(outage="truncated")
    large.send(requests(range(5, 6)))
    assert limits == [None, 8000, 16000, 16000]


@pytest.mark.parametrize(
    ("in_process", "configured", "limits"),
    [(True, 60, [120, 240, 240]), (True, None, [512, 1024, 1024]), (False, 40, [2048] * 3), (False, None, [2048] * 3)],
)
def test_a_model_in_this_process_gets_little_more_room_since_it_may_ramble(
    in_process: bool, configured: int | None, limits: list[int]
) -> None:
    provider = LlamaCpp if in_process else OpenAI
    client = provider(ProviderOptions(model="m", sampling={"max_tokens": configured}))
    given: list[int | None] = [None]
    for _ in limits:
        given.append(client.more_room(given[-1]))
    assert given[1:] == limits


@pytest.mark.parametrize(
    ("outage", "kind"), [("unauthorized", "key"), ("forbidden", "key"), ("not_found", "model"), ("quota", "quota")]
)
def test_what_would_fail_every_time_stops_at_once(tmp_path: Path, server: LlmServer, outage: str, kind: str) -> None:
    server.configure(outage=outage)
    sending = Sending(tmp_path, server)
    assert sending.send(requests(range(50))) == [STOPPED] * 50
    assert server.stats()["requests"] == 1
    stopped = sending.run_state.stop_reason()
    assert stopped is not None and stopped[0] == kind
    assert server.key not in stopped[1]


def test_an_account_that_runs_dry_in_between_keeps_what_was_answered(tmp_path: Path, server: LlmServer) -> None:
    server.configure(latency=0.1)
    sending = Sending(tmp_path, server)
    threading.Timer(0.6, lambda: server.configure(outage="quota")).start()
    outcomes = sending.send(requests(range(250)))
    answered = good(outcomes)
    assert 0 < answered < 250 and outcomes.count(STOPPED) == 250 - answered
    assert server.stats()["requests"] <= answered + 8
    server.configure(outage=None, latency=0)
    server.reset()
    assert good(Sending(tmp_path, server).send(requests(range(250)))) == 250
    assert server.stats()["requests"] == 250 - answered


def test_a_request_that_is_refused_whatever_it_asks_stops_after_three(tmp_path: Path, server: LlmServer) -> None:
    sending = Sending(tmp_path, server, sampling={"extra": {"messages": "none"}})
    assert good(sending.send(requests(range(50)))) == 0
    assert server.stats()["requests"] == 3
    stopped = sending.run_state.stop_reason()
    assert stopped is not None and stopped[0] == "request" and "messages" in stopped[1]


def test_nobody_at_the_address_stops_within_seconds(tmp_path: Path, server: LlmServer) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for retries in (6, 0):
        sending = Sending(tmp_path, server, base_url=f"http://127.0.0.1:{port}/v1", retries=retries)
        started = time.monotonic()
        assert sending.send(requests(range(50)))[-1] == STOPPED
        assert time.monotonic() - started < 8
        stopped = sending.run_state.stop_reason()
        assert stopped is not None and stopped[0] == "unreachable"


@pytest.mark.parametrize(("outage", "kind"), [("reset", "unreachable"), ("server_error", "server"), ("rate_limit", "rate_limit")])
def test_a_server_that_only_fails_is_given_up_after_as_many_as_run_at_once(
    tmp_path: Path, server: LlmServer, outage: str, kind: str
) -> None:
    server.configure(outage=outage, retry_after=0.05)
    sending = Sending(tmp_path, server, retries=0, concurrency=4)
    outcomes = sending.send(requests(range(60)))
    failed = [outcome for outcome in outcomes if outcome.failure]
    assert 4 <= len(failed) <= 8 and good(outcomes) == 0
    assert all(outcome.reason.endswith("in 1 try") for outcome in failed)
    stopped = sending.run_state.stop_reason()
    assert stopped is not None and stopped[0] == kind


def test_a_limit_per_minute_outlasts_the_tries(tmp_path: Path, server: LlmServer) -> None:
    server.configure(outage="rate_limit", retry_after=0.1)
    threading.Timer(1.5, lambda: server.configure(outage=None)).start()
    sending = Sending(tmp_path, server, retries=1)
    assert good(sending.send(requests(range(6)))) == 6
    assert sending.usage.retries > 6


def test_a_retry_after_holds_all_requests_back(tmp_path: Path, server: LlmServer) -> None:
    server.configure(latency=0.05, faults={"rate_limit": 1.0}, faulty_attempts=1, retry_after=1.0)
    sending = Sending(tmp_path, server, concurrency=4)
    started = time.monotonic()
    assert good(sending.send(requests(range(4)))) == 4
    assert time.monotonic() - started > 0.95
    assert server.stats()["requests"] <= 8


def test_a_stop_ends_all_waiting_at_once(tmp_path: Path, server: LlmServer) -> None:
    server.configure(outage="rate_limit", retry_after=60)
    for recipe in ({}, {"requests_per_minute": 1}):
        sending = Sending(tmp_path, server, **recipe)
        path = sending.run_state.path
        threading.Timer(1.0, lambda path=path: RunState(path).stop("budget", "spent elsewhere")).start()
        started = time.monotonic()
        assert sending.send(requests(range(30))) == [STOPPED] * 30
        assert time.monotonic() - started < 3


def test_a_budget_of_requests_is_kept_to_the_last_one_also_by_two_at_once(tmp_path: Path, server: LlmServer) -> None:
    server.configure(latency=0.05, faults={"server_error": 0.2})
    sending = Sending(tmp_path, server, Budget(requests=25))
    outcomes = sending.send(requests(range(100)))
    assert server.stats()["requests"] == 25 == sending.usage.requests
    assert good(outcomes) == server.stats()["outcomes"]["ok"] > 10
    assert sending.run_state.stop_reason() == ("budget", "requests: 25 of 25")
    server.reset()
    more = Sending(tmp_path, server, Budget(requests=1000)).send(requests(range(100)))
    assert good(more) == 100
    assert server.stats()["answered"] == 100 - good(outcomes)
    run_state = RunState.create(tmp_path / "shared.sqlite")
    taken: list[bool] = []

    def take() -> None:
        mine = RunState(run_state.path)
        taken.extend(mine.take_request("a", Budget(requests=300), False) is None for _ in range(200))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 300 == run_state.total().requests


@pytest.mark.parametrize("kind", ["tokens", "money"])
def test_a_budget_of_tokens_or_money_is_kept_but_for_what_is_in_flight(tmp_path: Path, server: LlmServer, kind: str) -> None:
    server.configure(latency=0.05)
    price = {"input": 1.0, "output": 10.0}
    each = Sending(tmp_path, server, price=price)
    each.send(requests(range(900, 901)))
    one = {"tokens": each.usage.input_tokens + each.usage.output_tokens, "money": each.usage.money}[kind]
    assert each.usage.money == pytest.approx((each.usage.input_tokens + 10 * each.usage.output_tokens) / 1e6)
    sending = Sending(tmp_path, server, Budget.model_validate({kind: one * 20}), price=price)
    outcomes = sending.send(requests(range(100)))
    assert 18 <= good(outcomes) <= 20 + 8 + 2
    stopped = sending.run_state.stop_reason()
    assert stopped is not None and stopped[0] == "budget" and stopped[1].startswith(f"{kind}: ")


def test_a_prompt_that_the_server_finds_too_long_is_shortened_and_the_row_says_so(tmp_path: Path, server: LlmServer) -> None:
    server.configure(window=700)
    sending = Sending(tmp_path, server)
    long = [request(" ".join(text_of(number) for number in range(start, start + 60))) for start in (0, 100)]
    outcomes = sending.send([*long, *requests(range(3))])
    assert [outcome.shortened for outcome in outcomes] == [True, True, False, False, False] and good(outcomes) == 5
    again = Sending(tmp_path, server).send([*long, *requests(range(3))])
    assert again == outcomes, "a cached answer still says so"


def test_a_prompt_that_is_too_long_however_short_fails_alone(tmp_path: Path, server: LlmServer) -> None:
    server.configure(window=300)
    bad = replace(request(text_of(0)), messages=messages("x" * 9000), shortened=lambda share: messages("x" * 9000))
    outcomes = Sending(tmp_path, server).send([bad, *requests(range(1, 5))])
    assert outcomes[0].failure == "too_long" and good(outcomes) == 4


def test_a_cached_answer_that_todays_validation_refuses_is_asked_for_again(tmp_path: Path, server: LlmServer) -> None:
    sending = Sending(tmp_path, server)
    [asked] = requests(range(1))
    sending.cache.put(asked.key, request_scheduler.CachedResponse("As an AI, I cannot.", 1, 1, False), "m")
    assert good(sending.send([asked])) == 1
    assert server.stats()["requests"] == 1


def test_a_cache_that_cannot_be_written_any_more_is_an_error_and_no_task_is_left_behind(
    tmp_path: Path, server: LlmServer
) -> None:
    server.configure(latency=0.1)
    sending = Sending(tmp_path, server)
    sending.cache._store.connection.execute("PRAGMA query_only = ON")
    sending.cache.get = lambda keys: {}  # type: ignore[method-assign]
    with pytest.raises(ValueError, match=r"generation\.answers"):
        sending.send(requests(range(30)))
    assert not [task for task in asyncio.all_tasks(LOOP) if not task.done()]
    assert server.stats()["requests"] <= 1 + 8


def test_limits_per_minute_are_kept(tmp_path: Path, server: LlmServer) -> None:
    sending = Sending(tmp_path, server, requests_per_minute=240)
    started = time.monotonic()
    assert good(sending.send(requests(range(20)))) == 20
    seconds = time.monotonic() - started
    assert (20 - 1) / 4 - asking_burst() <= seconds < 8
    token_sending = Sending(tmp_path, server, tokens_per_minute=60_000)  # a request is of about 250
    started = time.monotonic()
    assert good(token_sending.send(requests(range(20, 40)))) == 20
    used = token_sending.usage.input_tokens + token_sending.usage.output_tokens
    assert (used * 19 / 20) / 1000 - 1.5 <= time.monotonic() - started < used / 1000 + 3


def asking_burst() -> float:
    from finetrieve.generation.llm.rate_limits import _BURST_SECONDS

    return _BURST_SECONDS + 0.05
