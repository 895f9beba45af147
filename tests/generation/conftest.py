"""Fixtures of the generation tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.llm import LlmServer

KEY = "FINETRIEVE_TEST_KEY"
"""The environment variable with the key of the server."""


@pytest.fixture(scope="session")
def shared_server() -> Iterator[LlmServer]:
    """A server in the place of an LLM that all tests share; they take it as `server`."""
    with LlmServer(answers="quick") as started:
        yield started


@pytest.fixture
def server(shared_server: LlmServer, monkeypatch: pytest.MonkeyPatch) -> LlmServer:
    """The server as it was at its start."""
    at_start = shared_server.settings.model_dump(exclude={"port", "log"})
    shared_server.configure(**at_start)
    shared_server.reset()
    monkeypatch.setenv(KEY, shared_server.key)
    return shared_server


@pytest.fixture(autouse=True)
def own_response_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has an answer cache of its own, unless it names one."""
    directory = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(directory))
    return directory / "finetrieve" / "answers"
