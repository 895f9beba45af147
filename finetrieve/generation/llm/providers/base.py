"""What every provider has in common: a distilabel LLM that is asked for one answer at a time and says plainly what came back."""

# No `from __future__ import annotations`: distilabel reads the annotations of `agenerate` as objects.

import os
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Optional

from distilabel.models.llms.base import LLM, AsyncLLM
from distilabel.models.llms.utils import prepare_output
from distilabel.typing import FormattedInput, GenerateOutput
from pydantic import PrivateAttr

from finetrieve.generation.llm.providers.errors import Fault, fault_of, without_secrets

NO_KEY = "none-needed"
"""Client libraries that refuse to start without a key get this one for servers that need none."""

CONNECT_SECONDS = 10.0
_CONSTRAINTS = ("json_schema", "response_format", "output_config", "tool_choice", "grammar", "format")
_CAN_BE_LEFT_OUT = ("max_tokens", "temperature", "top_p", "seed", *_CONSTRAINTS)

Messages = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the provider sent back."""

    text: str
    finish: Literal["stop", "length", "refused"]
    input_tokens: int
    output_tokens: int


class AnsweringLLM(AsyncLLM):
    """A distilabel LLM with one request as its unit; every provider's class is this and distilabel's own.

    Retries, limits and the answer cache are not here: the client libraries are told not to retry.
    """

    answers_in_time: ClassVar[bool] = True
    """Whether a request that takes longer than the configured time is given up."""

    sampling: dict[str, Any] = {}  # noqa: RUF012  # pydantic copies it
    """`temperature`, `top_p`, `max_tokens`, `seed`, `extra`: what is None is not sent."""
    key_env: Optional[str] = None  # noqa: UP045  # distilabel's signature reader knows no `X | None`
    """The environment variable that holds the key; the key itself is never a field, since fields are written to disk."""
    request_seconds: float = 120.0

    _unsupported: set[str] = PrivateAttr(default_factory=set)
    """What this model turned out to refuse: not sent again."""

    def start_logging(self) -> None:
        """Does what every distilabel LLM needs before it runs; the classes' own `load` would also make clients that retry."""
        LLM.load(self)

    @property
    def connect_seconds(self) -> float:
        """Returns how long a connection may take to come about: no server takes as long for that as for an answer."""
        return min(CONNECT_SECONDS, self.request_seconds)

    @property
    def key(self) -> str:
        """Returns the key, or an empty string."""
        return os.environ.get(self.key_env, "").strip() if self.key_env else ""

    @abstractmethod
    async def _reply(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        """Makes one request with the client library."""

    async def ask(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None = None) -> Reply:
        """Returns the reply to one request; what the model refuses to be told (`max_tokens`, a temperature) is left out.

        Args:
            messages: As OpenAI's chat format has them.
            schema: The JSON schema of the answer, or None for text.
            max_tokens: Of the answer; None: as configured.

        Raises:
            Fault: There is no reply.
        """
        limit = max_tokens or self.sampling.get("max_tokens")
        while True:
            try:
                reply = await self._reply([dict(message) for message in messages], schema, limit)
                return (
                    replace(reply, text=without_secrets(reply.text, self.key)) if self.key and self.key in reply.text else reply
                )
            except Exception as error:
                fault = fault_of(error, self.key)
                refused = self._refused(fault)
                if refused is None:
                    raise fault from None
                self._unsupported.add(refused)

    def _refused(self, fault: Fault) -> str | None:
        """Returns the parameter that a fault complains about and that can be left out or said otherwise."""
        if not fault.answered or fault.kind not in ("unsupported", "request"):
            return None
        text = fault.text.lower()
        for name in _CAN_BE_LEFT_OUT:
            if name in text and name not in self._unsupported:
                return name
        return None

    def sent(self, name: str) -> Any:
        """Returns the configured value of a sampling parameter, or None when the model refuses it."""
        return None if name in self._unsupported else self.sampling.get(name)

    @property
    def constrains(self) -> bool:
        """Whether the provider is still asked to constrain the answer to the schema."""
        return not self._unsupported.intersection(_CONSTRAINTS)

    async def agenerate(self, input: FormattedInput, num_generations: int = 1) -> GenerateOutput:
        """Returns distilabel's form of the replies, for tasks of distilabel's own."""
        messages = input[0] if isinstance(input, tuple) else input
        replies = [await self.ask(messages, None) for _ in range(num_generations)]
        return prepare_output(
            [reply.text for reply in replies],
            input_tokens=[reply.input_tokens for reply in replies],
            output_tokens=[reply.output_tokens for reply in replies],
        )


def present(**values: Any) -> dict[str, Any]:
    """Returns the arguments that are not None."""
    return {name: value for name, value in values.items() if value is not None}
