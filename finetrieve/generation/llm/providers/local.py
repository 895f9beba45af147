"""Models that run in the process of their step: vLLM and transformers."""

from __future__ import annotations

import asyncio
import os
import re
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetrieve.core.errors import InputError
from finetrieve.core.failures import error_line
from finetrieve.generation.llm.providers.base import MAX_NEW_TOKENS, Messages, Provider, ProviderOptions, Reply, present
from finetrieve.generation.llm.providers.errors import ProviderError

_GATHER_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request of a batch."""

    messages: Messages
    max_tokens: int
    schema: dict[str, Any] | None


class LocalProvider(Provider):
    """A model in this process; requests that are waiting at the same time go through it as one batch."""

    runs_in_process = True

    def __init__(self, options: ProviderOptions) -> None:
        super().__init__(options)
        self._waiting: list[tuple[Prompt, asyncio.Future[Reply]]] = []
        self._running: asyncio.Task[None] | None = None
        self._model: Any = None

    @property
    def place(self) -> str:
        """Returns the model's directory, or its id on the Hugging Face Hub."""
        directory = Path(self.model).expanduser()
        return str(directory) if directory.is_dir() else self.model

    @classmethod
    def check_model(cls, model: str) -> None:
        """Checks that a model is here, or that the Hugging Face Hub has it.

        Raises:
            InputError: It is no model directory, and no model of the Hub's cache or of the Hub.
        """
        directory = Path(model).expanduser()
        if directory.is_dir():
            if not (directory / "config.json").is_file():
                raise InputError(
                    f"Model '{model}' is a directory without config.json; expected one that `save_pretrained` wrote."
                )
            return
        if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", model):
            raise InputError(
                f"There is no model directory '{model}'. Give a directory, or a Hugging Face Hub id such as org/name."
            )
        from huggingface_hub import HfApi, try_to_load_from_cache

        if isinstance(try_to_load_from_cache(model, "config.json"), str):
            return
        try:
            HfApi().model_info(model, timeout=10, token=os.environ.get(cls.key_env or "HF_TOKEN") or None)
        except Exception as error:  # whatever the HTTP client under the hub client raises, which changes with its version
            raise InputError(
                f"Model '{model}' is no directory here, not in the Hugging Face cache, and the Hub does not give it "
                f"({type(error).__name__}). Check the name, the network and HF_TOKEN, or give a model directory."
            ) from None

    @abstractmethod
    def _generate(self, batch: list[Prompt]) -> list[Reply | ProviderError]:
        """Returns the model's response to each prompt."""

    async def _send(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
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
                if future.done():  # nobody waits for it any more
                    continue
                if isinstance(outcome, ProviderError):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)

    def _outcomes(self, batch: list[Prompt]) -> list[Reply | ProviderError]:
        """Returns the replies; a batch that the memory does not hold is halved, and what fails alone would fail again."""
        try:
            return self._generate(batch)
        except Exception as error:
            if "out of memory" in str(error).lower() and len(batch) > 1:
                middle = len(batch) // 2
                return self._outcomes(batch[:middle]) + self._outcomes(batch[middle:])
            text = error_line(error, 300)
            return [ProviderError("request", f"{type(error).__name__}: {text}") for _ in batch]


class Transformers(LocalProvider):
    """A Hugging Face model or a directory, run by transformers on a GPU where there is one."""

    name = "transformers"
    description = "a model run by transformers in this process"
    package = "transformers"
    extra = "transformers"
    key_env = "HF_TOKEN"
    key_needed = False

    def connect(self) -> None:
        """Loads the model.

        Raises:
            InputError: It cannot be loaded.
        """
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(self.place, token=self.key or None, padding_side="left")
            self._model = AutoModelForCausalLM.from_pretrained(self.place, token=self.key or None, dtype="auto")
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise InputError(f"Model '{self.model}' cannot be loaded by transformers: {error_line(error, 300)}") from None
        self._model.to("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu").eval()
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token or self._tokenizer.unk_token

    def close(self) -> None:
        """Frees the model's memory."""
        self._model = self._tokenizer = None

    def _generate(self, batch: list[Prompt]) -> list[Reply | ProviderError]:
        outcomes: list[Reply | ProviderError] = [
            ProviderError("too_long", "the prompt and the answer exceed the model's context length")
        ] * len(batch)
        texts = [self._text(prompt.messages) for prompt in batch]
        lengths = [len(ids) for ids in self._encoded(texts)["input_ids"]]
        window = getattr(self._model.config.get_text_config(), "max_position_embeddings", None) or float("inf")
        fitting = [place for place, length in enumerate(lengths) if length + batch[place].max_tokens <= window]
        if fitting:
            generated = self._new_tokens([texts[place] for place in fitting], max(batch[place].max_tokens for place in fitting))
            for place, ids in zip(fitting, generated, strict=True):
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

    def _new_tokens(self, texts: list[str], max_tokens: int) -> list[list[int]]:
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
                **self._sampling_arguments(),
                **self.extra_fields,
            )
        new: list[list[int]] = ids[:, inputs["input_ids"].shape[1] :].tolist()  # (n_texts, longest answer)
        return new

    def _sampling_arguments(self) -> dict[str, Any]:
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


class VLLM(LocalProvider):
    """A Hugging Face model or a directory, run by vLLM on a GPU; the engine ends with the process, which is the step's."""

    name = "vllm"
    description = "a model run by vLLM in this process, on a GPU"
    package = "vllm"
    extra = "vllm"
    needs_gpu = True

    def connect(self) -> None:
        """Loads the model.

        Raises:
            InputError: It cannot be loaded.
        """
        from vllm import LLM

        try:
            self._model = LLM(
                self.place,
                seed=self.sampling.get("seed") or 0,
                hf_token=self.key or None,
            )
        except (OSError, ValueError) as error:
            raise InputError(f"Model '{self.model}' cannot be loaded by vLLM: {error_line(error, 300)}") from None

    def _generate(self, batch: list[Prompt]) -> list[Reply | ProviderError]:
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
            **self.extra_fields,
        )
