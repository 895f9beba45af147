"""An Ollama server."""

from __future__ import annotations

from typing import Any

from finetrieve.generation.llm.providers.base import Messages, Provider, ProviderOptions, Reply, present

DEFAULT_WINDOW = 4096
"""Tokens that Ollama reads when it is told no number."""


class Ollama(Provider):
    """Ollama's chat. It cuts a prompt that is too long without a word, so its window is always known before."""

    name = "ollama"
    description = "an Ollama server"
    package = "ollama"
    extra = "ollama"
    key_env = "OLLAMA_API_KEY"
    key_needed = False

    def __init__(self, options: ProviderOptions) -> None:
        super().__init__(options)
        self._context_window = options.context_window

    @classmethod
    def window(cls, context_window: int | None, extra: dict[str, Any]) -> int | None:
        """Returns the configured window, or else `num_ctx`, or else Ollama's own."""
        return context_window if context_window is not None else int(extra.get("num_ctx", DEFAULT_WINDOW))

    def connect(self) -> None:
        """Makes the client."""
        import httpx
        from ollama import AsyncClient

        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        timeout = httpx.Timeout(self.request_seconds, connect=self.connect_seconds)
        # How many requests run at once is the recipe's business: httpx alone would let no more than 100 of them go.
        limits = httpx.Limits(max_connections=None)
        self._client: Any = AsyncClient(host=self.base_url, timeout=timeout, headers=headers, limits=limits)

    async def _send(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        options = present(
            num_ctx=self._context_window,
            temperature=self.sent("temperature"),
            top_p=self.sent("top_p"),
            seed=self.sent("seed"),
            num_predict=max_tokens,
        )
        response = await self._client.chat(
            model=self.model,
            messages=messages,
            stream=False,
            format=schema if self.constrains else None,
            options={**options, **self.extra_fields},
        )
        return Reply(
            text=response.message.content or "",
            finish="length" if response.done_reason == "length" else "stop",
            input_tokens=response.prompt_eval_count or 0,
            output_tokens=response.eval_count or 0,
        )
