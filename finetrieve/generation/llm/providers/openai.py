"""OpenAI's protocol: OpenAI itself, Azure, and every server that speaks it."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from finetrieve.generation.llm.providers.base import Messages, Provider, Reply, present

AZURE_API_VERSION = "2024-10-21"
NO_KEY = "none-needed"
"""The client library refuses to start without a key, and servers that need none are common."""


class OpenAI(Provider):
    """OpenAI's chat completions; `max_tokens` becomes `max_completion_tokens` where a model wants that."""

    name = "openai"
    description = "OpenAI, and with base_url every server that speaks its protocol (vLLM, TGI, LM Studio, llama.cpp)"
    package = "openai"
    extra = "openai"
    key_env: ClassVar[str | None] = "OPENAI_API_KEY"
    base_url_frees_from_key = True

    def connect(self) -> None:
        """Makes the client."""
        from openai import AsyncOpenAI, Timeout

        self._client: Any = AsyncOpenAI(
            api_key=self.key or NO_KEY,
            base_url=self.base_url,
            timeout=Timeout(self.request_seconds, connect=self.connect_seconds),
            max_retries=0,
        )

    async def _send(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        limit = "max_completion_tokens" if "max_tokens" in self._unsupported else "max_tokens"
        completion = await self._client.chat.completions.create(
            model=self.model,
            messages=messages,
            **present(
                temperature=self.sent("temperature"),
                top_p=self.sent("top_p"),
                seed=self.sent("seed"),
                extra_body=self.extra_fields or None,
                response_format=self._format(schema),
            ),
            **present(**{limit: max_tokens}),
        )
        return reply_of(completion)

    def _format(self, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        if schema is None or "response_format" in self._unsupported:
            return None
        if "json_schema" in self._unsupported:
            return {"type": "json_object"}
        return {"type": "json_schema", "json_schema": {"name": "query", "schema": schema, "strict": True}}


class Azure(OpenAI):
    """A deployment of Azure OpenAI."""

    name = "azure"
    description = "Azure OpenAI: base_url is the resource's endpoint, model the deployment"
    key_env = "AZURE_OPENAI_API_KEY"
    base_url_frees_from_key = False
    base_url_missing = "the endpoint of your resource"

    def connect(self) -> None:
        """Makes the client."""
        from openai import AsyncAzureOpenAI, Timeout

        self._client = AsyncAzureOpenAI(
            api_key=self.key,
            azure_endpoint=str(self.base_url),
            azure_deployment=self.model,
            api_version=os.environ.get("OPENAI_API_VERSION", AZURE_API_VERSION),
            timeout=Timeout(self.request_seconds, connect=self.connect_seconds),
            max_retries=0,
        )


def reply_of(completion: Any) -> Reply:
    """Returns the reply in a chat completion of OpenAI's form.

    Raises:
        ValueError: It has no choices: a server that is not up to the protocol.
    """
    if not getattr(completion, "choices", None):
        raise ValueError("the response has no choices")
    choice = completion.choices[0]
    # LiteLLM keeps what is not common to all providers apart.
    own_fields = getattr(choice.message, "provider_specific_fields", None) or {}
    refusal = getattr(choice.message, "refusal", None) or own_fields.get("refusal") or ""
    refused = bool(refusal) or choice.finish_reason == "content_filter"
    usage = getattr(completion, "usage", None)
    return Reply(
        text=choice.message.content or refusal,
        finish="refused" if refused else "length" if choice.finish_reason == "length" else "stop",
        input_tokens=int(getattr(usage, "prompt_tokens", None) or 0),
        output_tokens=int(getattr(usage, "completion_tokens", None) or 0),
    )
