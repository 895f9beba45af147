"""Anthropic's messages."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

import json
from typing import Any

from distilabel.models.llms import AnthropicLLM

from finetrieve.generation.llm.providers.base import AnsweringLLM, Messages, Reply, present

MAX_TOKENS = 1024
"""The API demands a limit."""
_TOOL = "write_query"


class AnthropicAnswers(AnsweringLLM, AnthropicLLM):
    """Claude; the answer's schema is that of a tool which the model has to use.

    distilabel's own refuses every model that is newer than the client library.
    """

    def load(self) -> None:
        """Makes the client."""
        from anthropic import AsyncAnthropic, Timeout

        self.start_logging()
        timeout = Timeout(self.request_seconds, connect=self.connect_seconds)
        self._aclient = AsyncAnthropic(api_key=self.key, base_url=self.base_url, timeout=timeout, max_retries=0)

    async def _reply(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        client: Any = self._aclient
        system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
        tools = {}
        if schema is not None and self.constrains:
            tool = {"name": _TOOL, "description": "Hands over the answer.", "input_schema": schema}
            tools = {"tools": [tool], "tool_choice": {"type": "tool", "name": _TOOL}}
        response = await client.messages.create(
            model=self.model,
            max_tokens=max_tokens or MAX_TOKENS,
            messages=[message for message in messages if message["role"] != "system"],
            # In the body: newer client libraries have no arguments for them any more.
            extra_body={
                **present(temperature=self.sent("temperature"), top_p=self.sent("top_p")),
                **self.sampling.get("extra", {}),
            },
            **present(system=system or None),
            **tools,
        )
        used = [block.input for block in response.content if block.type == "tool_use"]
        said = "".join(block.text for block in response.content if block.type == "text")
        finish = {"max_tokens": "length", "refusal": "refused"}.get(response.stop_reason or "", "stop")
        return Reply(
            text=json.dumps(used[0], ensure_ascii=False) if used else said,
            finish=finish,  # type: ignore[arg-type]
            input_tokens=response.usage.input_tokens,
            output_tokens=response.usage.output_tokens,
        )
