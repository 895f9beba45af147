"""Every provider's class, with the real client library, against its own wire on a loopback server."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import socket
from typing import Any

import pytest

from finetrieve.core.errors import InputError
from finetrieve.generation.llm.distilabel_llm import ProviderLLM, build_llm
from finetrieve.generation.llm.providers.base import PROVIDERS, Reply
from finetrieve.generation.llm.providers.errors import ProviderError, classify_error
from finetrieve.generation.parse_response import parse_response, response_schema
from finetrieve.generation.prompts import system_addition
from finetrieve.generation.recipes.triplet import TripletRecipe
from tests.fakes.llm import LlmServer
from tests.generation.conftest import KEY

LOOP = asyncio.new_event_loop()
CHUNK = "To upload a file, drag it onto the window. You can change the target folder in the settings."
MESSAGES = [
    {"role": "system", "content": f"Write a query. {system_addition(True, True)}"},
    {"role": "user", "content": f"<chunk>\n{CHUNK}\n</chunk>"},
]
MODELS = {
    "openai": "gpt-4o-mini",
    "azure": "gpt-4o",
    "ollama": "llama3.2",
    "huggingface": "tgi",
    "anthropic": "claude-sonnet-4-5",
    "mistral": "mistral-small-latest",
    "litellm": "openai/gpt-4o-mini",
}
on_every_wire = pytest.mark.parametrize(
    "provider",
    [
        pytest.param(
            name, marks=pytest.mark.skipif(importlib.util.find_spec(PROVIDERS.get(name).package) is None, reason="no extra")
        )
        for name in MODELS
    ],
)
slow = pytest.mark.slow


def address(server: LlmServer, provider: str) -> str:
    return {"azure": server.url, "litellm": server.openai}.get(provider) or str(getattr(server, provider))


made_before: dict[tuple[str, str], ProviderLLM] = {}


def llm(server: LlmServer, provider: str, **recipe: Any) -> ProviderLLM:
    place = {"provider": provider, "model": MODELS[provider], "base_url": address(server, provider), "api_key_env": KEY}
    made = build_llm(TripletRecipe.model_validate({**place, **recipe}), None)
    made._event_loop = LOOP  # each has its own, and clients that live longer than theirs complain
    made.load()
    return made


def default_llm(server: LlmServer, provider: str) -> ProviderLLM:
    """The same for all tests, as a client takes long to make; not for tests that teach it what a server refuses."""
    if (server.url, provider) not in made_before:
        made_before[server.url, provider] = llm(server, provider)
    return made_before[server.url, provider]


def ask(asked: ProviderLLM, *messages: dict[str, str], max_tokens: int | None = None) -> Reply:
    return asked.event_loop.run_until_complete(
        asked.client.complete(list(messages) or MESSAGES, response_schema(True), max_tokens)
    )


def fault(asked: ProviderLLM) -> ProviderError:
    with pytest.raises(ProviderError) as found:
        ask(asked)
    return found.value


@slow
@on_every_wire
def test_a_constrained_answer_and_its_usage_come_back(server: LlmServer, provider: str) -> None:
    reply = ask(llm(server, provider, sampling={"temperature": 0.3, "top_p": 0.9, "seed": 7, "max_tokens": 200}))
    assert parse_response(reply.text, True, CHUNK).negative
    assert (reply.finish, reply.input_tokens > 50, reply.output_tokens > 10) == ("stop", True, True)
    stats = server.stats()
    assert (stats["requests"], stats["answered"]) == (1, 1)
    assert (stats["prompt_tokens"], stats["completion_tokens"]) == (reply.input_tokens, reply.output_tokens)


@slow
@on_every_wire
def test_sampling_reaches_the_provider(server: LlmServer, provider: str) -> None:
    for sampling in ({}, {"temperature": 0.1}, {"top_p": 0.5}, {"max_tokens": 300}, {"extra": {"user_tag": "a"}}):
        if "extra" not in sampling or provider in ("openai", "azure", "anthropic", "huggingface", "ollama"):
            ask(llm(server, provider, sampling=sampling))
    stats = server.stats()
    assert stats["distinct"] == stats["requests"]


@slow
@on_every_wire
@pytest.mark.parametrize(
    ("outage", "kind"),
    [
        ("rate_limit", "rate_limit"),
        ("server_error", "server"),
        ("unavailable", "server"),
        ("bad_gateway", "server"),
        ("reset", "connection"),
        ("half_body", "connection"),
        ("unauthorized", "key"),
        ("forbidden", "key"),
        ("not_found", "model"),
        ("quota", "quota"),
    ],
)
def test_a_fault_is_called_what_it_is_and_the_client_does_not_retry(
    server: LlmServer, provider: str, outage: str, kind: str
) -> None:
    server.configure(outage=outage, retry_after=1.5)
    found = fault(default_llm(server, provider))
    assert found.kind == kind
    assert not found.never_reached
    assert found.text and "\n" not in found.text and "For more information check" not in found.text
    assert server.key not in found.text
    if outage in ("rate_limit", "unavailable"):
        assert found.retry_after in (1.5, 2.0)
    assert server.stats()["requests"] == 1


@slow
@on_every_wire
def test_no_answer_in_time_is_a_timeout(server: LlmServer, provider: str) -> None:
    server.configure(outage="hang")
    asked = llm(server, provider, timeout=0.7)
    with pytest.raises((ProviderError, TimeoutError)) as found:
        asked.event_loop.run_until_complete(asyncio.wait_for(asked.client.complete(MESSAGES, None), 5))
    assert isinstance(found.value, ProviderError)
    assert (found.value.kind, found.value.never_reached) == ("timeout", False)


@slow
@on_every_wire
def test_bad_answers_say_how_they_ended_and_keep_their_text(server: LlmServer, provider: str) -> None:
    asked = default_llm(server, provider)
    server.configure(outage="truncated")
    cut = ask(asked)
    assert cut.finish == "length" and cut.text and cut.output_tokens
    server.configure(outage="refusal")
    refused = ask(asked)
    if provider != "mistral":  # it has no field for it
        assert "can't assist" in refused.text
        assert refused.finish == ("stop" if provider == "ollama" else "refused")
    server.configure(outage="empty")
    assert ask(asked).text == ""


@slow
@on_every_wire
def test_a_wrong_key_is_said_without_the_key(server: LlmServer, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if provider == "ollama":
        pytest.skip("Ollama asks for none")
    monkeypatch.setenv(KEY, "somebody-elses-0123456789")
    found = fault(llm(server, provider))
    assert found.kind == "key"
    assert "somebody" not in found.text
    assert server.stats()["outcomes"] == {"wrong_key": 1}


@slow
@on_every_wire
def test_an_unknown_model_is_said(server: LlmServer, provider: str) -> None:
    if provider == "huggingface":
        pytest.skip("an endpoint serves one model, whatever it is called")
    found = fault(llm(server, provider, model="openai/nobody" if provider == "litellm" else "nobody"))
    assert found.kind == "model"


@slow
@on_every_wire
def test_nobody_at_the_address_is_told_from_a_line_that_broke(server: LlmServer, provider: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = fault(llm(server, provider, base_url=f"http://127.0.0.1:{port}/v1"))
    assert (found.kind, found.never_reached) == ("connection", True)


@slow
@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama", "mistral"])
def test_an_address_that_swallows_connections_was_never_reached(server: LlmServer, provider: str) -> None:
    if importlib.util.find_spec(PROVIDERS.get(provider).package) is None:
        pytest.skip("no extra")
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        waiting = []
        for _ in range(4):  # what is beyond the queue gets no answer at all
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(deaf.getsockname())
            waiting.append(client)
        found = fault(llm(server, provider, base_url=f"http://127.0.0.1:{deaf.getsockname()[1]}/v1", timeout=0.7))
        for client in waiting:
            client.close()
    assert (found.kind, found.never_reached) == ("timeout", True)


@slow
@on_every_wire
def test_a_prompt_beyond_the_window_is_too_long(server: LlmServer, provider: str) -> None:
    if provider == "ollama":
        pytest.skip("Ollama cuts it without a word")
    server.configure(window=20)
    assert fault(default_llm(server, provider)).kind == "too_long"


@slow
@on_every_wire
def test_a_server_that_refuses_a_schema_is_asked_for_text_from_then_on(server: LlmServer, provider: str) -> None:
    server.configure(structured="refuse")
    asked = llm(server, provider)
    assert parse_response(ask(asked).text, True, CHUNK)
    assert not asked.client.constrains
    assert parse_response(ask(asked).text, True, CHUNK)
    outcomes = server.stats()["outcomes"]
    assert outcomes["ok"] == 2 and outcomes["structured"] <= 2
    assert ask(asked).text and server.stats()["outcomes"]["structured"] == outcomes["structured"]


@slow
@pytest.mark.parametrize("provider", ["openai", "azure", "litellm"])
def test_newer_models_refuse_max_tokens_and_a_temperature_once(server: LlmServer, provider: str) -> None:
    model = "openai/gpt-5-mini" if provider == "litellm" else "gpt-5-mini"
    asked = llm(server, provider, model=model, sampling={"max_tokens": 300, "temperature": 0.2, "top_p": 0.9})
    assert parse_response(ask(asked).text, True, CHUNK)
    refused = server.stats()["outcomes"].get("invalid", 0)
    assert refused <= 3
    assert ask(asked).text
    assert server.stats()["outcomes"] == {"ok": 2, **({"invalid": refused} if refused else {})}
    assert ask(asked, max_tokens=70).finish == "length", "the limit is still told, by its other name"


def test_a_key_that_comes_back_in_an_answer_is_cut_out(server: LlmServer) -> None:
    asked = llm(server, "openai")
    message = {"role": "user", "content": f"<chunk>\n{server.key}\n</chunk>"}
    assert server.key not in ask(asked, MESSAGES[0], message).text


class StatusError(Exception):
    """An error as client libraries raise it."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status_code = status
        self.headers = headers or {}


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (429, "You exceeded your current quota, please check your plan. Please retry in 33.7s.", "rate_limit"),
        (
            429,
            "Rate limit reached. Add a payment method at https://platform.openai.com/account/billing to increase it.",
            "rate_limit",
        ),
        (429, "You exceeded your current quota, please check your plan and billing details.", "quota"),
        (429, "{'type': 'insufficient_quota'}", "quota"),
        (402, "Payment Required", "quota"),
        (400, "Your credit balance is too low to access the API.", "quota"),
        (403, "Your input was flagged by moderation", "request"),
        (400, "The response was filtered due to Azure OpenAI's content management policy.", "request"),
        (400, "the request exceeds the available context size", "too_long"),
        (400, "The input token count (40000) exceeds the maximum number of tokens allowed (32768)", "too_long"),
        (400, "Invalid model: nobody", "model"),
        (400, "Unrecognized request argument supplied: seed", "unsupported"),
        (400, "messages: invalid", "request"),
        (404, "page not found", "model"),
        (408, "", "timeout"),
        (529, "Overloaded", "server"),
        (500, "format is not supported by this model", "unsupported"),
    ],
)
def test_what_providers_say_is_understood(status: int, text: str, kind: str) -> None:
    assert classify_error(StatusError(status, text)).kind == kind


@pytest.mark.parametrize(
    ("headers", "text", "seconds"),
    [
        ({"Retry-After": "7"}, "", 7.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, "", 0.25),
        ({"retry-after": "Sat, 01 Jan 2000 00:00:00 GMT"}, "", 0.0),
        ({"retry-after": "soon"}, "", None),
        ({}, "Please try again in 6.5s.", 6.5),
        ({}, "Please try again in 20ms.", 0.02),
        ({}, "Please retry in 2m", 120.0),
        ({}, "Please try again later", None),
    ],
)
def test_how_long_to_wait_is_read_from_headers_or_words(headers: dict[str, str], text: str, seconds: float | None) -> None:
    assert classify_error(StatusError(429, text, headers)).retry_after == seconds


def test_no_key_of_the_environment_is_in_what_an_error_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_API_KEY", "abcdefghijkl")
    long = "x" * 290
    for text in (
        "key abcdefghijkl is wrong",
        "Incorrect key sk-proj-Abc123Def456 given",
        "Authorization: Bearer eyJ0eXAiOiJKV1Qi.12345",
        f"{long} abcdefghijkl",
        f"{long} my-own-secret-value",
    ):
        said = classify_error(StatusError(401, text), "my-own-secret-value").text
        for secret in ("abcdef", "Abc123", "eyJ0", "my-own"):
            assert secret not in said
        assert len(said) <= 300
    assert "key-management-service" in classify_error(StatusError(500, "key-management-service is down")).text


def test_a_missing_extra_or_key_is_one_line_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InputError, match="the environment variable OPENAI_API_KEY is not set"):
        PROVIDERS.get("openai").check_requirements(None, False, False)
    PROVIDERS.get("openai").check_requirements(None, False, True)
    PROVIDERS.get("openai").check_requirements(None, True, False)
    PROVIDERS.get("ollama").check_requirements(None, False, False)
    with pytest.raises(InputError, match="the environment variable MY_KEY is not set"):
        PROVIDERS.get("openai").check_requirements("MY_KEY", False, True)
    if importlib.util.find_spec("vllm") is None:
        with pytest.raises(InputError, match=r"pip install -e '\.\[vllm\]'"):
            PROVIDERS.get("vllm").check_requirements(None, False, False)


def test_the_key_is_in_nothing_that_distilabel_writes_down(server: LlmServer) -> None:
    for provider in MODELS:
        if importlib.util.find_spec(PROVIDERS.get(provider).package) is not None:
            assert server.key not in json.dumps(llm(server, provider).dump(), default=str)
