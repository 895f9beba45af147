"""Hugging Face Inference Endpoints and providers."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

from typing import Any

from distilabel.models.llms import InferenceEndpointsLLM

from finetrieve.generation.llm.providers.base import AnsweringLLM, Messages, Reply, present
from finetrieve.generation.llm.providers.openai_protocol import reply_of


class HuggingFaceAnswers(AnsweringLLM, InferenceEndpointsLLM):
    """An endpoint by its base_url, or a model that Hugging Face serves; distilabel's own hides why a request failed."""

    served_model: str
    """Told to the endpoint, where there is a base_url: distilabel takes either that or a `model_id`."""

    def load(self) -> None:
        """Makes the client."""
        from huggingface_hub import AsyncInferenceClient

        self.start_logging()
        place = {"base_url": self.base_url} if self.base_url else {"model": self.model_id}
        self._aclient = AsyncInferenceClient(**place, token=self.key or False, timeout=self.request_seconds)  # type: ignore[arg-type]

    async def _reply(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        client: Any = self._aclient
        constrained = None
        if schema is not None and self.constrains:
            constrained = {"type": "json_schema", "json_schema": {"name": "query", "schema": schema, "strict": True}}
        completion = await client.chat_completion(
            messages=messages,
            **present(
                model=self.served_model if self.base_url else None,
                temperature=self.sent("temperature"),
                top_p=self.sent("top_p"),
                seed=self.sent("seed"),
                max_tokens=max_tokens,
                response_format=constrained,
                extra_body=self.sampling.get("extra") or None,
            ),
        )
        return reply_of(completion)
