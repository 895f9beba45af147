"""Every provider that LiteLLM knows."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

import os
from typing import Any

from distilabel.models.llms import LiteLLM

from finetrieve.generation.llm.providers.base import AnsweringLLM, Messages, Reply, present
from finetrieve.generation.llm.providers.openai_protocol import reply_of


class LiteLLMAnswers(AnsweringLLM, LiteLLM):
    """LiteLLM; keys are read from the variables it expects unless one is named."""

    base_url: str | None = None

    def load(self) -> None:
        """Makes the client; LiteLLM's price list is the one it brings along, not fetched."""
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        import litellm

        self.start_logging()
        litellm.telemetry = False
        litellm.suppress_debug_info = True
        self._aclient = litellm.acompletion

    async def _reply(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        client: Any = self._aclient
        constrained = None
        if schema is not None and self.constrains:
            constrained = {"type": "json_schema", "json_schema": {"name": "query", "schema": schema, "strict": True}}
        completion = await client(
            model=self.model,
            messages=messages,
            timeout=self.request_seconds,
            num_retries=0,
            max_retries=0,
            drop_params=True,
            **present(
                api_base=self.base_url,
                api_key=self.key or None,
                temperature=self.sent("temperature"),
                top_p=self.sent("top_p"),
                seed=self.sent("seed"),
                max_tokens=max_tokens,
                response_format=constrained,
            ),
            **self.sampling.get("extra", {}),
        )
        return reply_of(completion)
