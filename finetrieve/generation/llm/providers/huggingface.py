"""Hugging Face Inference Endpoints and providers."""

from __future__ import annotations

from typing import Any

from finetrieve.generation.llm.providers.base import Messages, Provider, Reply, present
from finetrieve.generation.llm.providers.openai import reply_of


class HuggingFace(Provider):
    """An endpoint by its base_url, or a model that Hugging Face serves."""

    name = "huggingface"
    description = "Hugging Face Inference Endpoints"
    package = "huggingface_hub"
    extra = "huggingface"
    key_env = "HF_TOKEN"
    key_needed = False

    def connect(self) -> None:
        """Makes the client."""
        from huggingface_hub import AsyncInferenceClient

        address: dict[str, str] = {"base_url": self.base_url} if self.base_url else {"model": self.model}
        self._client: Any = AsyncInferenceClient(**address, token=self.key or False, timeout=self.request_seconds)  # type: ignore[arg-type]

    async def _send(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        completion = await self._client.chat_completion(
            messages=messages,
            **present(
                model=self.model if self.base_url else None,
                temperature=self.sent("temperature"),
                top_p=self.sent("top_p"),
                seed=self.sent("seed"),
                max_tokens=max_tokens,
                response_format=self.json_schema_format(schema),
                extra_body=self.extra_fields or None,
            ),
        )
        return reply_of(completion)
