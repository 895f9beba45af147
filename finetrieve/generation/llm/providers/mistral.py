"""Mistral's chat."""

from __future__ import annotations

from typing import Any

from finetrieve.generation.llm.providers.base import Messages, Provider, Reply, present
from finetrieve.generation.llm.providers.openai import reply_of


class Mistral(Provider):
    """Mistral's own API."""

    name = "mistral"
    description = "Mistral"
    package = "mistralai"
    extra = "mistral"
    key_env = "MISTRAL_API_KEY"

    def connect(self) -> None:
        """Makes the client."""
        import httpx
        from mistralai.client import Mistral as Client

        # httpx alone would let no more than 100 requests go at once.
        http: Any = httpx.AsyncClient(follow_redirects=True, limits=httpx.Limits(max_connections=None))
        self._client: Any = Client(
            api_key=self.key,
            timeout_ms=int(self.request_seconds * 1000),
            async_client=http,
            **present(server_url=self.base_url),
        )

    async def _send(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        completion = await self._client.chat.complete_async(
            model=self.model,
            messages=messages,
            **present(
                temperature=self.sent("temperature"),
                top_p=self.sent("top_p"),
                random_seed=self.sent("seed"),
                max_tokens=max_tokens,
                response_format=self.json_schema_format(schema, "schema_definition"),
            ),
            **self.extra_fields,
        )
        return reply_of(completion)
