"""Settings of an LLM, whoever asks it: which one, how fast, and what it costs. Imports no client library."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from finetrieve.core.settings import Settings
from finetrieve.generation.llm.providers.base import PROVIDERS, Provider, ProviderOptions


class Sampling(Settings):
    """What is asked of the model beyond the messages; what is not set is not sent."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    """0: the likeliest answer; more: more varied ones."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Only the likeliest words are drawn, up to this share of probability."""
    max_tokens: int | None = Field(default=None, ge=16)
    """Of the answer. Anthropic's API demands a number: 1,024 there when none is set."""
    seed: int | None = None
    """Of the provider's own drawing, where it takes one."""
    extra: dict[str, str | int | float | bool] = Field(default={})
    """Further fields of the provider's own, such as `reasoning_effort` (OpenAI) or `num_ctx` (Ollama)."""

    @field_validator("extra")
    @classmethod
    def _no_keys(cls, extra: dict[str, Any]) -> dict[str, Any]:
        for name in extra:
            if re.search(r"(?i)(^|_)(api_?key|token|secret|password|authorization)$", name):
                raise ValueError(f"'{name}' would be written down; keys come from the environment: see api_key_env.")
        return extra


class Price(Settings):
    """What the provider charges, in any currency, per million tokens."""

    input: float = Field(ge=0)
    """Of what is sent."""
    output: float = Field(ge=0)
    """Of what is answered."""


class Batch(Settings):
    """Requests handed over together: at half the price, answered within a day."""

    wait_minutes: float = Field(default=0, ge=0)
    """So long the run waits for the answers, then it ends; the same command collects them later."""
    poll_seconds: float = Field(default=30, gt=0)
    """Between two looks whether they are there."""
    most: int = Field(default=20_000, ge=1, le=50_000)
    """Requests of one batch; more are several."""


class LlmSettings(Settings):
    """An LLM of any provider, how fast it is asked, and what it costs."""

    asked_by: ClassVar[str] = "Recipe"
    """What messages call the owner of these settings, with the label behind it."""

    label: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    """Tells several of this kind apart, in rows and reports."""
    provider: str
    """A name of `--list`, or a class of your own, `package.module:Class`."""
    model: str = Field(min_length=1)
    """As the provider calls it; a directory or Hub id for a model that runs in this process."""
    base_url: str | None = None
    """Of a server that speaks the provider's protocol: vLLM, TGI, LM Studio and llama.cpp speak `openai`'s."""
    api_key_env: str | None = None
    """The environment variable that holds the key; null: the provider's usual one."""
    api_key_secret: str | None = None
    """The ZenML secret that holds the key, as `secret.key`."""
    structured: bool = True
    """Constrain the answer to JSON where the provider can; every answer is validated either way."""
    sampling: Sampling = Sampling()
    context_window: int | None = Field(default=None, ge=256)
    """Tokens that the model reads, about four characters each; a chunk that does not fit is shortened, and its rows say so.

    Null: what the provider says when a request is too long. Ollama says nothing and cuts: there it is sampling's
    `num_ctx`, or 4,096, and a number given here is sent as `num_ctx`.
    """
    concurrency: int = Field(default=16, ge=1, le=1024)
    """Requests under way at the same time."""
    timeout: float = Field(default=120.0, gt=0)
    """Seconds that one request may take."""
    retries: int = Field(default=6, ge=0, le=20)
    """After a failed request: 429, 5xx, a time-out, a dropped connection."""
    asks: int = Field(default=6, ge=1, le=10)
    """How often a query is asked for until the answer can be used."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """The provider's limit: requests are spaced to stay below it."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """Likewise of tokens, sent and answered together."""
    price: Price | None = None
    """Of single requests; batches cost half."""
    batch: Batch | None = None
    """Hand the requests over as batches (`openai`, `anthropic`), at half the price; null: ask one by one."""

    @property
    def row_label(self) -> str:
        """Returns the label."""
        return self.label

    @property
    def generator(self) -> str:
        """Returns the provider and its model."""
        return f"{self.provider_class.name}/{self.model}"

    @property
    def provider_class(self) -> type[Provider]:
        """Returns the class of the provider."""
        return PROVIDERS.get(self.provider)

    @property
    def provider_options(self) -> ProviderOptions:
        """Returns what the provider is made with, but for a key from a ZenML secret."""
        return ProviderOptions(
            model=self.model,
            base_url=self.base_url,
            sampling=self.sampling.model_dump(),
            key_env=self.key_variable(None),
            request_seconds=self.timeout,
            context_window=self.context_window,
        )

    @property
    def window(self) -> int | None:
        """Returns the tokens that a request may have, when that is known before it is made."""
        return self.provider_class.window(self.context_window, self.sampling.extra)

    @property
    def wants_gpu(self) -> bool:
        """Whether the model runs in the step's process."""
        return self.provider_class.runs_in_process

    @property
    def gpu_needed_by(self) -> str:
        """Returns the provider where it cannot run without a GPU."""
        return f"provider '{self.provider}'" if self.provider_class.needs_gpu else ""

    @property
    def key_secret(self) -> str | None:
        """Returns the ZenML secret that holds the key."""
        return self.api_key_secret

    def key_variable(self, key_env: str | None) -> str | None:
        """Returns the environment variable that holds the key, if there is one.

        Args:
            key_env: The variable in which the key was put, when it came from a ZenML secret.
        """
        return key_env or self.api_key_env or self.provider_class.key_env

    def check_requirements(self) -> None:
        """Checks the provider's client library and key."""
        self.provider_class.check_requirements(self.api_key_env, self.api_key_secret is not None, self.base_url is not None)

    def cost(self, input_tokens: int, output_tokens: int) -> float | None:
        """Returns what so many tokens cost, or None without a price."""
        price = self.price
        return (input_tokens * price.input + output_tokens * price.output) / 1e6 if price else None

    @field_validator("provider")
    @classmethod
    def _known_provider(cls, name: str) -> str:
        PROVIDERS.get(name)
        return name

    @field_validator("base_url")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        if url is not None and re.match(r"https?://[^/]*@", url):
            raise ValueError("it holds a user or a key, which would be written down; keys come from the environment.")
        if url is not None and not re.fullmatch(r"https?://[^\s/]+\S*", url):
            raise ValueError(f"'{url}' is no address; expected one like http://127.0.0.1:8000/v1.")
        return url

    # What stands here by mistake may be the key itself: it is not shown.
    @field_validator("api_key_env")
    @classmethod
    def _variable(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,80}", name):
            raise ValueError("expected the name of an environment variable that holds the key, never the key itself.")
        return name

    @field_validator("api_key_secret")
    @classmethod
    def _secret(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[^.\s]{1,80}\.[^.\s]{1,80}", name):
            raise ValueError("expected `secret.key`: a ZenML secret and the key in it, never the key itself.")
        return name

    @model_validator(mode="after")
    def _has_address(self) -> Self:
        if (what := self.provider_class.base_url_missing) and self.base_url is None:
            raise ValueError(f"provider '{self.provider}' needs base_url: {what}.")
        if self.batch is not None and not self.provider_class.batches:
            raise ValueError(f"batch: provider '{self.provider}' takes no batches; openai and anthropic do.")
        return self
