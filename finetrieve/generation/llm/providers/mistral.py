"""Mistral's chat."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

from typing import Any

from distilabel.models.llms import MistralLLM

from finetrieve.generation.llm.providers.base import AnsweringLLM, Messages, Reply, present
from finetrieve.generation.llm.providers.openai_protocol import reply_of


class MistralAnswers(AnsweringLLM, MistralLLM):
    """Mistral; distilabel's own imports a name that the client library no longer has."""

    def load(self) -> None:
        """Makes the client."""
        import httpx
        from mistralai.client import Mistral

        self.start_logging()
        # httpx alone would let no more than 100 requests go at once.
        client: Any = httpx.AsyncClient(follow_redirects=True, limits=httpx.Limits(max_connections=None))
        self._aclient = Mistral(
            api_key=self.key,
            timeout_ms=int(self.request_seconds * 1000),
            async_client=client,
            **present(server_url=self.endpoint),
        )

    async def _reply(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        client: Any = self._aclient
        constrained = None
        if schema is not None and self.constrains:
            constrained = {"type": "json_schema", "json_schema": {"name": "query", "schema_definition": schema, "strict": True}}
        completion = await client.chat.complete_async(
            model=self.model,
            messages=messages,
            **present(
                temperature=self.sent("temperature"),
                top_p=self.sent("top_p"),
                random_seed=self.sent("seed"),
                max_tokens=max_tokens,
                response_format=constrained,
            ),
            **self.sampling.get("extra", {}),
        )
        return reply_of(completion)
