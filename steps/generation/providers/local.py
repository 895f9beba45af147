"""Models that run in this process: vLLM and transformers."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

import asyncio
from typing import Any, Optional

from distilabel.models.llms import TransformersLLM, vLLM
from distilabel.models.llms.base import AsyncLLM
from pydantic import PrivateAttr

from steps.generation.providers.answering import AnsweringLLM, Messages, Reply, present

MAX_NEW_TOKENS = 256
"""Of an answer when the configuration sets no max_tokens: a model in this process would write until its window is full."""
_GATHER_SECONDS = 0.01


class BatchedAnswers(AnsweringLLM):
    """Requests that are waiting at the same time go through the model as one batch."""

    _waiting: list[tuple[Messages, int, asyncio.Future[Reply]]] = PrivateAttr(default_factory=list)
    _running: Optional[asyncio.Task[None]] = PrivateAttr(default=None)  # noqa: UP045  # distilabel's base has it so

    async def _reply(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:  # noqa: ARG002
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((messages, max_tokens or MAX_NEW_TOKENS, future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run_batches())
        return await future

    async def _run_batches(self) -> None:
        while self._waiting:
            await asyncio.sleep(_GATHER_SECONDS)
            batch, self._waiting = self._waiting, []
            try:
                outputs = await asyncio.to_thread(
                    self._generate, [item[0] for item in batch], max(limit for _, limit, _ in batch)
                )
            except Exception as error:
                for _, _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, limit, future), output in zip(batch, outputs, strict=True):
                if not future.done():
                    future.set_result(_reply_of(output, limit))

    def _generate(self, inputs: list[Messages], max_tokens: int) -> list[Any]:
        settings = present(temperature=self.sent("temperature"), top_p=self.sent("top_p"))
        # Past AsyncLLM comes distilabel's class that runs the model.
        outputs: list[Any] = super(AsyncLLM, self).generate(inputs, max_new_tokens=max_tokens, **settings)
        return outputs


def _reply_of(output: Any, limit: int) -> Reply:
    statistics = output["statistics"]
    written = int(statistics["output_tokens"][0])
    return Reply(
        text=output["generations"][0] or "",
        finish="length" if written >= limit else "stop",
        input_tokens=int(statistics["input_tokens"][0]),
        output_tokens=written,
    )


class TransformersAnswers(BatchedAnswers, TransformersLLM):
    """A Hugging Face model or a directory, run by transformers."""

    def load(self) -> None:
        """Loads the model."""
        super(AsyncLLM, self).load()


class VLLMAnswers(BatchedAnswers, vLLM):
    """A Hugging Face model or a directory, run by vLLM on a GPU."""

    def load(self) -> None:
        """Loads the model."""
        super(AsyncLLM, self).load()
