"""A request to an LLM, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from finetrieve.generation.llm.providers.base import Messages

CHARACTERS_PER_TOKEN = 4.0
EXPECTED_ANSWER_TOKENS = 60


@dataclass(frozen=True, slots=True)
class Request:
    """One LLM request: the messages, and how their response is parsed."""

    key: bytes
    """Of the response cache."""
    messages: Messages
    parse: Callable[[str], Any]
    """Raises InvalidResponseError for a response that cannot be used."""
    shortened: Callable[[float], Messages]
    """The messages with only that share of the chunk."""
    schema: dict[str, Any] | None = None
    """The JSON schema of the response; None: text."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: a text, or a failure, or neither when the run was stopped before."""

    text: str | None = None
    parsed: Any = None
    """The text, parsed."""
    shortened: bool = False
    failure: str = ""
    """`refusal`, `unparsable`, `timeout`, ...; empty with a text."""
    reason: str = ""
    raw: str = ""
    """What the model answered, when that was the failure."""
