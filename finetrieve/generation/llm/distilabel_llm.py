"""The LLM that distilabel's tasks are given: any provider, with one request as its unit."""

# No `from __future__ import annotations`: distilabel reads the annotations of `agenerate` as objects.

from typing import Any

from distilabel.models.llms.base import AsyncLLM
from distilabel.models.llms.utils import prepare_output
from distilabel.typing import FormattedInput, GenerateOutput
from pydantic import PrivateAttr

from finetrieve.generation.llm.llm_settings import LlmSettings
from finetrieve.generation.llm.providers.base import PROVIDERS, Provider, ProviderOptions


class ProviderLLM(AsyncLLM):
    """A distilabel LLM that leaves the request to a provider of ours."""

    provider: str
    """Its name in the configuration."""
    options: dict[str, Any]
    """Of `ProviderOptions`."""

    _client: Provider = PrivateAttr()

    @property
    def client(self) -> Provider:
        """Returns the provider; there is one after `load`."""
        return self._client

    @property
    def model_name(self) -> str:
        """Returns the model's name, as distilabel's records have it."""
        return str(self.options["model"])

    def load(self) -> None:
        """Makes the client, or loads the model, in the process that runs the step."""
        super().load()
        options = ProviderOptions.model_validate(self.options)
        self._client = PROVIDERS.get(self.provider)(options)
        self._client.connect()

    def unload(self) -> None:
        """Frees what the provider took."""
        self._client.close()

    async def agenerate(self, input: FormattedInput, num_generations: int = 1) -> GenerateOutput:
        """Returns distilabel's form of the replies, for tasks of distilabel's own."""
        messages = input[0] if isinstance(input, tuple) else input
        replies = [await self._client.complete(messages, None) for _ in range(num_generations)]
        return prepare_output(
            [reply.text for reply in replies],
            input_tokens=[reply.input_tokens for reply in replies],
            output_tokens=[reply.output_tokens for reply in replies],
        )


def build_llm(settings: LlmSettings, key_env: str | None) -> ProviderLLM:
    """Returns the distilabel LLM of these settings.

    Args:
        settings: Whom to ask.
        key_env: The environment variable that holds the key, when it is not the provider's usual one.
    """
    options = settings.provider_options.model_copy(update={"key_env": settings.key_variable(key_env)})
    return ProviderLLM(provider=settings.provider, options=options.model_dump())
