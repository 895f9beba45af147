"""Every provider that LiteLLM knows."""

from __future__ import annotations

import os
from typing import Any

from finetrieve.generation.llm.providers.base import Messages, Provider, Reply, present
from finetrieve.generation.llm.providers.openai import reply_of


class LiteLLM(Provider):
    """LiteLLM; keys are read from the variables it expects unless one is named."""

    name = "litellm"
    description = "every provider that LiteLLM knows; the key variable is the one LiteLLM expects"
    package = "litellm"
    extra = "litellm"

    def connect(self) -> None:
        """Makes the client; LiteLLM's price list is the one it brings along, not fetched."""
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        import litellm

        litellm.telemetry = False
        litellm.suppress_debug_info = True
        self._completion: Any = litellm.acompletion

    async def _send(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        completion = await self._completion(
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
                response_format=self.json_schema_format(schema),
            ),
            **self.extra_fields,
        )
        return reply_of(completion)
