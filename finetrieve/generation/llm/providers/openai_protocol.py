"""OpenAI's protocol: OpenAI itself, Azure, and every server that speaks it."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

import os
from typing import Any

from distilabel.models.llms import OpenAILLM

from finetrieve.generation.llm.providers.base import NO_KEY, AnsweringLLM, Messages, Reply, present

AZURE_API_VERSION = "2024-10-21"


class OpenAIAnswers(AnsweringLLM, OpenAILLM):
    """OpenAI's chat completions; `max_tokens` becomes `max_completion_tokens` where a model wants that."""

    def load(self) -> None:
        """Makes the client."""
        from openai import AsyncOpenAI, Timeout

        self.start_logging()
        self._aclient = AsyncOpenAI(
            api_key=self.key or NO_KEY,
            base_url=self.base_url,
            timeout=Timeout(self.request_seconds, connect=self.connect_seconds),
            max_retries=0,
        )

    async def _reply(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        client: Any = self._aclient
        limit = "max_completion_tokens" if "max_tokens" in self._unsupported else "max_tokens"
        arguments = present(
            temperature=self.sent("temperature"),
            top_p=self.sent("top_p"),
            seed=self.sent("seed"),
            extra_body=self.sampling.get("extra") or None,
            response_format=self._format(schema),
        )
        if max_tokens is not None:
            arguments[limit] = max_tokens
        completion = await client.chat.completions.create(model=self.model, messages=messages, **arguments)
        return reply_of(completion)

    def _format(self, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        if schema is None or "response_format" in self._unsupported:
            return None
        if "json_schema" in self._unsupported:
            return {"type": "json_object"}
        return {"type": "json_schema", "json_schema": {"name": "query", "schema": schema, "strict": True}}


class AzureAnswers(OpenAIAnswers):
    """A deployment of Azure OpenAI."""

    def load(self) -> None:
        """Makes the client."""
        from openai import AsyncAzureOpenAI, Timeout

        super().load()
        self._aclient = AsyncAzureOpenAI(
            api_key=self.key,
            azure_endpoint=str(self.base_url),
            azure_deployment=self.model,
            api_version=os.environ.get("OPENAI_API_VERSION", AZURE_API_VERSION),
            timeout=Timeout(self.request_seconds, connect=self.connect_seconds),
            max_retries=0,
        )


def reply_of(completion: Any) -> Reply:
    """Returns what a chat completion in OpenAI's form says.

    Raises:
        ValueError: It has no choices: a server that is not up to the protocol.
    """
    if not getattr(completion, "choices", None):
        raise ValueError("the response has no choices")
    choice = completion.choices[0]
    # LiteLLM keeps what is not common to all providers apart.
    apart = getattr(choice.message, "provider_specific_fields", None) or {}
    refusal = getattr(choice.message, "refusal", None) or apart.get("refusal") or ""
    refused = bool(refusal) or choice.finish_reason == "content_filter"
    usage = getattr(completion, "usage", None)
    return Reply(
        text=choice.message.content or refusal,
        finish="refused" if refused else "length" if choice.finish_reason == "length" else "stop",
        input_tokens=int(getattr(usage, "prompt_tokens", None) or 0),
        output_tokens=int(getattr(usage, "completion_tokens", None) or 0),
    )
