"""The base class of LLM providers, and the registry of those that exist. Imports no client library and no distilabel."""

from __future__ import annotations

import importlib.util
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from finetrieve.core.errors import InputError
from finetrieve.core.plugins import Registry
from finetrieve.core.secrets import mask_secrets
from finetrieve.generation.llm.providers.errors import ProviderError, classify_error

CONNECT_SECONDS = 10.0
_CONSTRAINTS = ("json_schema", "response_format", "output_config", "tool_choice", "grammar", "format")
MAX_NEW_TOKENS = 256
"""Of an answer when the configuration sets no max_tokens: a model in this process would write until its window is full."""
TRUNCATED_MAX_TOKENS = 2048
"""Asked of a service, at least, after an answer that was cut off."""
MOST_ROOM = 4
"""Times as many tokens as configured are the most that is asked for after such answers."""
_CAN_BE_LEFT_OUT = ("max_tokens", "temperature", "top_p", "seed", *_CONSTRAINTS)

Messages = list[dict[str, str]]
"""As OpenAI's chat format has them."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The response of a provider."""

    text: str
    finish: Literal["stop", "length", "refused"]
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One request of a batch."""

    id: str
    """Letters and digits, at most 64: the answer comes back under it."""
    messages: Messages
    schema: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """How far a batch is."""

    ended: bool
    """Nothing more comes; what was not answered is not charged."""
    done: int
    error: str = ""
    """Why the batch was refused as a whole, or cut off."""


class ProviderOptions(BaseModel):
    """What a recipe says of its model; written to disk by distilabel, so it holds no key."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    model: str
    base_url: str | None = None
    sampling: dict[str, Any] = {}
    """`temperature`, `top_p`, `max_tokens`, `seed`, `extra`: what is None is not sent."""
    key_env: str | None = None
    """The environment variable that holds the key."""
    request_seconds: float = 120.0
    context_window: int | None = None
    """Tokens, where the recipe names a number."""


class Provider(ABC):
    """A provider of LLMs: what it is called, what it needs, and how one request is made. A new provider is one such class.

    Retries, limits and the response cache are not here: client libraries are told not to retry.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    package: ClassVar[str] = ""
    """The client library, as it is imported; empty: none."""
    extra: ClassVar[str] = ""
    """The extra of this project that installs it."""
    key_env: ClassVar[str | None] = None
    """The environment variable that usually holds the key; None: it needs none."""
    key_needed: ClassVar[bool] = True
    """False: servers that need no key are common."""
    base_url_frees_from_key: ClassVar[bool] = False
    """With `base_url` it is another server, which may need no key."""
    base_url_missing: ClassVar[str] = ""
    """What `base_url` is, for a provider that cannot do without."""
    runs_in_process: ClassVar[bool] = False
    """The model runs in the process of the recipe's step; a request may then take as long as it takes."""
    needs_gpu: ClassVar[bool] = False
    batches: ClassVar[bool] = False
    """It takes requests as batches, at half the price: the four methods on batches are there."""

    def __init__(self, options: ProviderOptions) -> None:
        self.model, self.base_url, self.sampling = options.model, options.base_url, options.sampling
        self.request_seconds, self.connect_seconds = options.request_seconds, min(CONNECT_SECONDS, options.request_seconds)
        self._key_env = options.key_env
        self._unsupported: set[str] = set()
        """What this model turned out to refuse: not sent again."""

    @classmethod
    def check_requirements(cls, api_key_env: str | None, has_secret: bool, has_base_url: bool) -> None:
        """Checks that the client library is installed and that the key is there.

        Raises:
            InputError: The extra or the key is missing.
        """
        if cls.package and importlib.util.find_spec(cls.package) is None:
            how = f": pip install -e '.[{cls.extra}]'" if cls.extra else "."
            raise InputError(f"Provider '{cls.name}' needs the package '{cls.package}', which is not installed{how}")
        variable = api_key_env or cls.key_env
        usual = cls.key_env is not None and cls.key_needed and not (cls.base_url_frees_from_key and has_base_url)
        needed = api_key_env is not None or usual
        if variable is not None and needed and not has_secret and not os.environ.get(variable, "").strip():
            raise InputError(
                f"Provider '{cls.name}' needs a key: the environment variable {variable} is not set. "
                "Set it, or name another with api_key_env, or a ZenML secret with api_key_secret."
            )

    @classmethod
    def check_model(cls, model: str) -> None:
        """Checks what can be known of a model before anything runs; of a model that a server has: nothing.

        Raises:
            InputError: There is no such model.
        """

    @classmethod
    def window(cls, context_window: int | None, extra: dict[str, Any]) -> int | None:
        """Returns the tokens that a request may have, when that is known before it is made."""
        return context_window

    @abstractmethod
    def connect(self) -> None:
        """Makes the client, or loads the model; called once, in the process that asks.

        Raises:
            InputError: The model cannot be loaded.
        """

    def close(self) -> None:
        """Frees what `connect` took."""

    def more_room(self, limit: int | None) -> int:
        """Returns how many tokens to ask for after an answer that was cut off at `limit`, or at what is configured.

        A service may have thought before it wrote. A small model in this process that rambles fills whatever it is given.
        """
        own = self.sampling.get("max_tokens") or (MAX_NEW_TOKENS if self.runs_in_process else 0)
        least = 0 if self.runs_in_process else TRUNCATED_MAX_TOKENS
        return int(min(max(least, 2 * (limit or own)), max(least, MOST_ROOM * own)))

    @abstractmethod
    async def _send(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        """Makes one request with the client library, whose exceptions may be raised."""

    async def complete(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None = None) -> Reply:
        """Returns the reply to one request; what the model refuses to be told (`max_tokens`, a temperature) is left out.

        Args:
            messages: The conversation.
            schema: The JSON schema of the response, or None for text.
            max_tokens: Of the response; None: as configured.

        Raises:
            ProviderError: There is no reply.
        """
        limit = max_tokens or self.sampling.get("max_tokens")
        while True:
            try:
                reply = await self._send([dict(message) for message in messages], schema, limit)
                return self.masked(reply)
            except Exception as error:
                classified = classify_error(error, self.key)
                refused = self._refused_parameter(classified)
                if refused is None:
                    raise classified from None
                self._unsupported.add(refused)

    async def submit_batch(self, items: Sequence[BatchItem], tag: str) -> str:
        """Hands requests over and returns the batch's id; exceptions of the client library may be raised by all four.

        Args:
            items: The requests.
            tag: By which `find_batch` knows it again.
        """
        raise NotImplementedError

    async def find_batch(self, tag: str, count: int, since: float) -> str | None:
        """Returns the id of a batch that was handed over with a tag and so many requests, at a time (1970) or later; or None."""
        raise NotImplementedError

    async def batch_status(self, batch: str) -> BatchStatus:
        """Returns how far a batch is."""
        raise NotImplementedError

    def batch_replies(self, batch: str) -> AsyncIterator[tuple[str, Reply | ProviderError]]:
        """Yields the answers of a batch that ended, each under the id of its request."""
        raise NotImplementedError

    @contextmanager
    def _classified(self) -> Iterator[None]:
        """Turns exceptions of the client library into ours."""
        try:
            yield
        except Exception as error:
            raise classify_error(error, self.key) from None

    def masked(self, reply: Reply) -> Reply:
        """Returns a reply without the key, which a server may echo."""
        return replace(reply, text=mask_secrets(reply.text, self.key)) if self.key and self.key in reply.text else reply

    def _refused_parameter(self, error: ProviderError) -> str | None:
        """Returns the parameter that an error complains about and that can be left out or named otherwise."""
        if not error.answered or error.kind not in ("unsupported", "request"):
            return None
        text = error.text.lower()
        return next((name for name in _CAN_BE_LEFT_OUT if name in text and name not in self._unsupported), None)

    @property
    def key(self) -> str:
        """Returns the key, or an empty string."""
        return os.environ.get(self._key_env, "").strip() if self._key_env else ""

    def sent(self, name: str) -> Any:
        """Returns the configured value of a sampling parameter, or None when the model refuses it."""
        return None if name in self._unsupported else self.sampling.get(name)

    @property
    def extra_fields(self) -> dict[str, Any]:
        """Returns the fields of the provider's own that the recipe's `sampling.extra` names."""
        return dict(self.sampling.get("extra") or {})

    @property
    def constrains(self) -> bool:
        """Whether the provider is still asked to constrain the response to the schema."""
        return not self._unsupported.intersection(_CONSTRAINTS)

    def json_schema_format(self, schema: dict[str, Any] | None, field: str = "schema") -> dict[str, Any] | None:
        """Returns the `response_format` of OpenAI's protocol for a schema, where it is still asked for."""
        if schema is None or not self.constrains:
            return None
        return {"type": "json_schema", "json_schema": {"name": "query", field: schema, "strict": True}}


def present(**values: Any) -> dict[str, Any]:
    """Returns the arguments that are not None."""
    return {name: value for name, value in values.items() if value is not None}


PROVIDERS: Registry[Provider] = Registry(
    "provider",
    "finetrieve.providers",
    Provider,  # type: ignore[type-abstract]
    [
        "finetrieve.generation.llm.providers.openai:OpenAI",
        "finetrieve.generation.llm.providers.openai:Azure",
        "finetrieve.generation.llm.providers.ollama:Ollama",
        "finetrieve.generation.llm.providers.huggingface:HuggingFace",
        "finetrieve.generation.llm.providers.anthropic:Anthropic",
        "finetrieve.generation.llm.providers.mistral:Mistral",
        "finetrieve.generation.llm.providers.litellm:LiteLLM",
        "finetrieve.generation.llm.providers.local:VLLM",
        "finetrieve.generation.llm.providers.local:Transformers",
        "finetrieve.generation.llm.providers.llamacpp:LlamaCpp",
    ],
)
"""The providers, by the name that they have in a configuration."""
