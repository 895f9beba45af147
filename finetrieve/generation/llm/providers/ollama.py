"""An Ollama server."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

from typing import Any

from distilabel.models.llms import OllamaLLM

from finetrieve.generation.llm.providers.base import AnsweringLLM, Messages, Reply, present


class OllamaAnswers(AnsweringLLM, OllamaLLM):
    """Ollama's chat; distilabel's own hides why a request failed."""

    def load(self) -> None:
        """Makes the client."""
        import httpx
        from ollama import AsyncClient

        self.start_logging()
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        timeout = httpx.Timeout(self.request_seconds, connect=self.connect_seconds)
        # How many requests run at once is the recipe's business: httpx alone would let no more than 100 of them go.
        limits = httpx.Limits(max_connections=None)
        self._aclient = AsyncClient(host=self.host, timeout=timeout, headers=headers, limits=limits)

    async def _reply(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        client: Any = self._aclient
        options = present(
            temperature=self.sent("temperature"), top_p=self.sent("top_p"), seed=self.sent("seed"), num_predict=max_tokens
        )
        response = await client.chat(
            model=self.model,
            messages=messages,
            stream=False,
            format=schema if self.constrains else None,
            options={**options, **self.sampling.get("extra", {})},
        )
        return Reply(
            text=response.message.content or "",
            finish="length" if response.done_reason == "length" else "stop",
            input_tokens=response.prompt_eval_count or 0,
            output_tokens=response.eval_count or 0,
        )
