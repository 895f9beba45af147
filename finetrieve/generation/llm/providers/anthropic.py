"""Anthropic's messages."""

from __future__ import annotations

import json
from typing import Any

from finetrieve.generation.llm.providers.base import Messages, Provider, Reply, present

MAX_TOKENS = 1024
"""The API demands a limit."""
_TOOL = "write_query"


class Anthropic(Provider):
    """Claude; the schema of the response is that of a tool which the model has to use."""

    name = "anthropic"
    description = "Anthropic"
    package = "anthropic"
    extra = "anthropic"
    key_env = "ANTHROPIC_API_KEY"

    def connect(self) -> None:
        """Makes the client."""
        from anthropic import AsyncAnthropic, Timeout

        timeout = Timeout(self.request_seconds, connect=self.connect_seconds)
        self._client: Any = AsyncAnthropic(api_key=self.key, base_url=self.base_url, timeout=timeout, max_retries=0)

    async def _send(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
        tools = {}
        if schema is not None and self.constrains:
            tool = {"name": _TOOL, "description": "Hands over the answer.", "input_schema": schema}
            tools = {"tools": [tool], "tool_choice": {"type": "tool", "name": _TOOL}}
        response = await self._client.messages.create(
            model=self.model,
            max_tokens=max_tokens or MAX_TOKENS,
            messages=[message for message in messages if message["role"] != "system"],
            # In the body: newer client libraries have no arguments for them any more.
            extra_body={**present(temperature=self.sent("temperature"), top_p=self.sent("top_p")), **self.extra_fields},
            **present(system=system or None),
            **tools,
        )
        tool_inputs = [block.input for block in response.content if block.type == "tool_use"]
        text = "".join(block.text for block in response.content if block.type == "text")
        finish = {"max_tokens": "length", "refusal": "refused"}.get(response.stop_reason or "", "stop")
        return Reply(
            text=json.dumps(tool_inputs[0], ensure_ascii=False) if tool_inputs else text,
            finish=finish,  # type: ignore[arg-type]
            input_tokens=response.usage.input_tokens,
            output_tokens=response.usage.output_tokens,
        )
