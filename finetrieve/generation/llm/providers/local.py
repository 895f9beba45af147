"""Models that run in the process of their step: vLLM and transformers."""

# No `from __future__ import annotations`: distilabel reads annotations as objects.

import asyncio
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Optional

from distilabel.models.llms import TransformersLLM, vLLM
from pydantic import PrivateAttr

from finetrieve.core.errors import InputError
from finetrieve.generation.llm.providers.base import AnsweringLLM, Messages, Reply, present
from finetrieve.generation.llm.providers.errors import Fault

MAX_NEW_TOKENS = 256
"""Of an answer when the configuration sets no max_tokens: a model in this process would write until its window is full."""
_GATHER_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request of a batch."""

    messages: Messages
    max_tokens: int
    schema: dict[str, Any] | None


class BatchedAnswers(AnsweringLLM):
    """Requests that are waiting at the same time go through the model as one batch."""

    answers_in_time: ClassVar[bool] = False
    """A large model on a small machine is slow, not lost: a batch may take as long as it takes."""

    _waiting: list[tuple[Prompt, asyncio.Future[Reply]]] = PrivateAttr(default_factory=list)
    _running: Optional[asyncio.Task[None]] = PrivateAttr(default=None)  # noqa: UP045  # distilabel's base has it so

    @abstractmethod
    def _answers(self, batch: list[Prompt]) -> list[Reply | Fault]:
        """Returns what the model says to each prompt."""

    async def _reply(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((Prompt(messages, max_tokens or MAX_NEW_TOKENS, schema), future))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run_batches())
        return await future

    async def _run_batches(self) -> None:
        while self._waiting:
            await asyncio.sleep(_GATHER_SECONDS)
            batch, self._waiting = self._waiting, []
            outcomes = await asyncio.to_thread(self._outcomes, [prompt for prompt, _ in batch])
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if future.done():  # nobody waits any more
                    continue
                if isinstance(outcome, Fault):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)

    def _outcomes(self, batch: list[Prompt]) -> list[Reply | Fault]:
        """Returns the replies; a batch that the memory does not hold is halved, and what fails alone would fail again."""
        try:
            return self._answers(batch)
        except Exception as error:
            if "out of memory" in str(error).lower() and len(batch) > 1:
                middle = len(batch) // 2
                return self._outcomes(batch[:middle]) + self._outcomes(batch[middle:])
            text = " ".join(str(error).split())[:300]
            return [Fault("request", f"{type(error).__name__}: {text}") for _ in batch]


class TransformersAnswers(BatchedAnswers, TransformersLLM):
    """A Hugging Face model or a directory, run by transformers on a GPU where there is one.

    distilabel's own passes one prompt at a time to a pipeline, with arguments that transformers 5 no longer takes.
    """

    _tokenizer: Any = PrivateAttr(default=None)
    _model: Any = PrivateAttr(default=None)

    def load(self) -> None:
        """Loads the model.

        Raises:
            InputError: It cannot be loaded.
        """
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        self.start_logging()
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        place = str(Path(self.model).expanduser()) if Path(self.model).expanduser().is_dir() else self.model
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(place, token=self.key or None, padding_side="left")
            self._model = AutoModelForCausalLM.from_pretrained(place, token=self.key or None, dtype="auto")
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise InputError(
                f"Model '{self.model}' cannot be loaded by transformers: {' '.join(str(error).split())[:300]}"
            ) from None
        self._model.to("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu").eval()
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token or self._tokenizer.unk_token

    def unload(self) -> None:
        """Frees the model's memory."""
        self._model = self._tokenizer = None

    def _answers(self, batch: list[Prompt]) -> list[Reply | Fault]:
        outcomes: list[Reply | Fault] = [Fault("too_long", "the prompt and the answer exceed the model's context length")] * len(
            batch
        )
        texts = [self._text(prompt.messages) for prompt in batch]
        lengths = [len(ids) for ids in self._encoded(texts)["input_ids"]]
        window = getattr(self._model.config.get_text_config(), "max_position_embeddings", None) or float("inf")
        fitting = [place for place, length in enumerate(lengths) if length + batch[place].max_tokens <= window]
        if fitting:
            written = self._written([texts[place] for place in fitting], max(batch[place].max_tokens for place in fitting))
            for place, ids in zip(fitting, written, strict=True):
                outcomes[place] = self._reply_of(ids, lengths[place], batch[place].max_tokens)
        return outcomes

    def _text(self, messages: Messages) -> str:
        """Returns the prompt in the model's chat template; a model without one gets the messages as paragraphs."""
        if self._tokenizer.chat_template is None:
            return "\n\n".join(message["content"] for message in messages) + "\n\n"
        return str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    def _encoded(self, texts: list[str], **arguments: Any) -> Any:
        # A chat template writes the special tokens itself.
        return self._tokenizer(texts, add_special_tokens=self._tokenizer.chat_template is None, **arguments)

    def _written(self, texts: list[str], max_tokens: int) -> list[list[int]]:
        """Returns the new tokens of each text, those after its end included."""
        import torch

        inputs = self._encoded(texts, return_tensors="pt", padding=True).to(self._model.device)
        inputs.pop("token_type_ids", None)
        if (seed := self.sent("seed")) is not None:
            torch.manual_seed(seed)
        with torch.inference_mode():
            ids = self._model.generate(
                **inputs,
                max_new_tokens=max_tokens,
                pad_token_id=self._tokenizer.pad_token_id,
                **self._drawing(),
                **self.sampling.get("extra", {}),
            )
        new: list[list[int]] = ids[:, inputs["input_ids"].shape[1] :].tolist()  # (n_texts, longest answer)
        return new

    def _drawing(self) -> dict[str, Any]:
        """Returns how tokens are drawn; what the configuration leaves open is the model's own way."""
        temperature = self.sent("temperature")
        if temperature == 0:
            return {"do_sample": False}
        chosen = present(temperature=temperature, top_p=self.sent("top_p"))
        return {"do_sample": True, **chosen} if chosen else {}

    def _reply_of(self, ids: list[int], input_tokens: int, max_tokens: int) -> Reply:
        ends = self._model.generation_config.eos_token_id
        stops = {ends} if isinstance(ends, int) else {*(ends or []), self._tokenizer.eos_token_id}
        length = next((place for place, token in enumerate(ids) if token in stops), None)
        own = ids[: max_tokens if length is None else min(length, max_tokens)]
        cut = length is None or length > max_tokens
        return Reply(self._tokenizer.decode(own, skip_special_tokens=True), "length" if cut else "stop", input_tokens, len(own))


class VLLMAnswers(BatchedAnswers, vLLM):
    """A Hugging Face model or a directory, run by vLLM on a GPU.

    distilabel's own passes `logits_processors` to SamplingParams and takes the executor out of the engine: vLLM has neither now.
    """

    def load(self) -> None:
        """Loads the model.

        Raises:
            InputError: It cannot be loaded.
        """
        from vllm import LLM

        self.start_logging()
        try:
            self._model = LLM(
                str(Path(self.model).expanduser()) if Path(self.model).expanduser().is_dir() else self.model,
                seed=self.sampling.get("seed") or 0,
                hf_token=self.key or None,
            )
        except (OSError, ValueError) as error:
            raise InputError(f"Model '{self.model}' cannot be loaded by vLLM: {' '.join(str(error).split())[:300]}") from None

    def unload(self) -> None:
        """Leaves the engine to the end of the process, which is the step's end."""

    def _answers(self, batch: list[Prompt]) -> list[Reply | Fault]:
        outputs = self._model.chat(
            [prompt.messages for prompt in batch], [self._parameters(prompt) for prompt in batch], use_tqdm=False
        )
        return [
            Reply(
                text=output.outputs[0].text,
                finish="length" if output.outputs[0].finish_reason == "length" else "stop",
                input_tokens=len(output.prompt_token_ids or []),
                output_tokens=len(output.outputs[0].token_ids),
            )
            for output in outputs
        ]

    def _parameters(self, prompt: Prompt) -> Any:
        """Returns what vLLM is told of one prompt; extra fields are SamplingParams' own."""
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        constrained = StructuredOutputsParams(json=prompt.schema) if prompt.schema is not None else None
        return SamplingParams(
            max_tokens=prompt.max_tokens,
            structured_outputs=constrained,
            **present(temperature=self.sent("temperature"), top_p=self.sent("top_p"), seed=self.sent("seed")),
            **self.sampling.get("extra", {}),
        )
