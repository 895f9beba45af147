"""Anthropic's messages."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from finetrieve.generation.llm.providers.base import BatchItem, BatchStatus, Messages, Provider, Reply, present
from finetrieve.generation.llm.providers.errors import ProviderError

MAX_TOKENS = 1024
"""The API demands a limit."""
_TOOL = "write_query"
_CLOCK_SECONDS = 60.0
"""By which the provider's clock may differ from ours."""


class Anthropic(Provider):
    """Claude; the schema of the response is that of a tool which the model has to use."""

    name = "anthropic"
    description = "Anthropic"
    package = "anthropic"
    extra = "anthropic"
    key_env = "ANTHROPIC_API_KEY"
    batches = True

    def connect(self) -> None:
        """Makes the client."""
        from anthropic import AsyncAnthropic, Timeout

        timeout = Timeout(self.request_seconds, connect=self.connect_seconds)
        self._client: Any = AsyncAnthropic(api_key=self.key, base_url=self.base_url, timeout=timeout, max_retries=0)

    async def _send(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        # Settings go into the body: newer client libraries have no arguments for them any more.
        return _reply(
            await self._client.messages.create(**self._request(messages, schema, max_tokens), extra_body=self._settings)
        )

    def _request(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> dict[str, Any]:
        system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
        tools = {}
        if schema is not None and self.constrains:
            tool = {"name": _TOOL, "description": "Hands over the answer.", "input_schema": schema}
            tools = {"tools": [tool], "tool_choice": {"type": "tool", "name": _TOOL}}
        return {
            "model": self.model,
            "max_tokens": max_tokens or MAX_TOKENS,
            "messages": [message for message in messages if message["role"] != "system"],
            **present(system=system or None),
            **tools,
        }

    @property
    def _settings(self) -> dict[str, Any]:
        return {**present(temperature=self.sent("temperature"), top_p=self.sent("top_p")), **self.extra_fields}

    async def submit_batch(self, items: Sequence[BatchItem], tag: str) -> str:  # noqa: ARG002
        """Hands requests over; a batch has no room for a tag."""
        limit = self.sampling.get("max_tokens")
        requests = [
            {"custom_id": item.id, "params": {**self._request(item.messages, item.schema, limit), **self._settings}}
            for item in items
        ]
        with self._classified():
            batch = await self._client.messages.batches.create(requests=requests)
        return str(batch.id)

    async def find_batch(self, tag: str, count: int, since: float) -> str | None:  # noqa: ARG002
        """Returns the first batch of so many requests that was made from then on."""
        found = None
        with self._classified():
            async for batch in self._client.messages.batches.list(limit=100):
                if batch.created_at.timestamp() < since - _CLOCK_SECONDS:
                    break  # the newest come first
                counts = batch.request_counts
                if counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired == count:
                    found = str(batch.id)
        return found

    async def batch_status(self, batch: str) -> BatchStatus:
        """Returns how far a batch is; the counts are there once it ended."""
        with self._classified():
            found = await self._client.messages.batches.retrieve(batch)
        counts = found.request_counts
        cut_off = "it was cancelled or ran out of time" if counts.canceled + counts.expired else ""
        return BatchStatus(found.processing_status == "ended", counts.succeeded + counts.errored, cut_off)

    async def batch_replies(self, batch: str) -> AsyncIterator[tuple[str, Reply | ProviderError]]:
        """Yields the answers."""
        with self._classified():
            rows = await self._client.messages.batches.results(batch)
        async for row in rows:
            if row.result.type == "succeeded":
                yield row.custom_id, self.masked(_reply(row.result.message))
            else:
                said = getattr(getattr(getattr(row.result, "error", None), "error", None), "message", row.result.type)
                yield row.custom_id, ProviderError("request", str(said)[:300], answered=True)


def _reply(response: Any) -> Reply:
    tool_inputs = [block.input for block in response.content if block.type == "tool_use"]
    text = "".join(block.text for block in response.content if block.type == "text")
    finish = {"max_tokens": "length", "refusal": "refused"}.get(response.stop_reason or "", "stop")
    return Reply(
        text=json.dumps(tool_inputs[0], ensure_ascii=False) if tool_inputs else text,
        finish=finish,  # type: ignore[arg-type]
        input_tokens=response.usage.input_tokens,
        output_tokens=response.usage.output_tokens,
    )
