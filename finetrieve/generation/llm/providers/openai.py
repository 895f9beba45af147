"""OpenAI's protocol: OpenAI itself, Azure, and every server that speaks it."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

from finetrieve.generation.llm.providers.base import BatchItem, BatchStatus, Messages, Provider, Reply, present
from finetrieve.generation.llm.providers.errors import ProviderError

AZURE_API_VERSION = "2024-10-21"
_ENDPOINT = "/v1/chat/completions"
_TAG = "finetrieve"
_CLOCK_SECONDS = 300.0
"""By which the provider's clock may differ from ours."""
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
    batches = True

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
        asked = self._request(messages, schema, max_tokens)
        return reply_of(await self._client.chat.completions.create(**asked, **present(extra_body=self.extra_fields or None)))

    def _request(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> dict[str, Any]:
        """Returns the body of a request, without the fields of the recipe's own."""
        limit = "max_completion_tokens" if "max_tokens" in self._unsupported else "max_tokens"
        return {
            "model": self.model,
            "messages": messages,
            **present(
                temperature=self.sent("temperature"),
                top_p=self.sent("top_p"),
                seed=self.sent("seed"),
                response_format=self._format(schema),
            ),
            **present(**{limit: max_tokens}),
        }

    async def submit_batch(self, items: Sequence[BatchItem], tag: str) -> str:
        """Hands requests over as a file of lines."""
        limit = self.sampling.get("max_tokens")
        lines = (
            {
                "custom_id": item.id,
                "method": "POST",
                "url": _ENDPOINT,
                "body": {**self._request(item.messages, item.schema, limit), **self.extra_fields},
            }
            for item in items
        )
        content = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode()
        with self._classified():
            file = await self._client.files.create(file=("requests.jsonl", content), purpose="batch")
            batch = await self._client.batches.create(
                input_file_id=file.id, endpoint=_ENDPOINT, completion_window="24h", metadata={_TAG: tag}
            )
        return str(batch.id)

    async def find_batch(self, tag: str, count: int, since: float) -> str | None:  # noqa: ARG002
        """Returns the batch whose metadata have the tag."""
        with self._classified():
            async for batch in self._client.batches.list(limit=100):
                if batch.created_at < since - _CLOCK_SECONDS:
                    break  # the newest come first
                if (batch.metadata or {}).get(_TAG) == tag:
                    return str(batch.id)
        return None

    async def batch_status(self, batch: str) -> BatchStatus:
        """Returns how far a batch is."""
        with self._classified():
            found = await self._client.batches.retrieve(batch)
        counts = found.request_counts
        said = "; ".join(str(error.message) for error in (found.errors.data or [])) if found.errors else ""
        ended = found.status in ("completed", "failed", "expired", "cancelled")
        error = (said or found.status) if ended and found.status != "completed" else ""
        return BatchStatus(ended, (counts.completed + counts.failed) if counts else 0, error)

    async def batch_replies(self, batch: str) -> AsyncIterator[tuple[str, Reply | ProviderError]]:
        """Yields the answers, of the file of those that are good and of that of the others."""
        from openai.types.chat import ChatCompletion

        with self._classified():
            found = await self._client.batches.retrieve(batch)
            files = [await self._client.files.content(name) for name in (found.output_file_id, found.error_file_id) if name]
        for line in (line for file in files for line in file.text.splitlines() if line.strip()):
            row = json.loads(line)
            response = row.get("response") or {}
            if row.get("error") or response.get("status_code") != 200:
                why = row.get("error") or (response.get("body") or {}).get("error") or {}
                yield row["custom_id"], ProviderError("request", str(why.get("message", "not answered"))[:300], answered=True)
            else:
                yield row["custom_id"], self.masked(reply_of(ChatCompletion.model_validate(response["body"])))

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
    batches = False

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
