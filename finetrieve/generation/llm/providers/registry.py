"""The providers of LLMs, by the name they have in a configuration. Light: names, extras and key variables only."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetrieve.core.errors import InputError


@dataclass(frozen=True, slots=True)
class Provider:
    """What has to be known of a provider before it is loaded."""

    description: str
    place: str
    """`module:class` of the distilabel LLM."""
    package: str
    """The client library, as it is imported."""
    extra: str
    """The extra of this project that installs it."""
    key_env: str | None
    """The environment variable that usually holds the key; None: it needs none."""
    key_needed: bool = True
    """False: servers that need no key are common."""


PROVIDERS: dict[str, Provider] = {
    "openai": Provider(
        "OpenAI, and with base_url every server that speaks its protocol (vLLM, TGI, LM Studio, llama.cpp)",
        "finetrieve.generation.llm.providers.openai_protocol:OpenAIAnswers",
        "openai",
        "openai",
        "OPENAI_API_KEY",
    ),
    "azure": Provider(
        "Azure OpenAI: base_url is the resource's endpoint, model the deployment",
        "finetrieve.generation.llm.providers.openai_protocol:AzureAnswers",
        "openai",
        "openai",
        "AZURE_OPENAI_API_KEY",
    ),
    "ollama": Provider(
        "an Ollama server",
        "finetrieve.generation.llm.providers.ollama:OllamaAnswers",
        "ollama",
        "ollama",
        "OLLAMA_API_KEY",
        False,
    ),
    "huggingface": Provider(
        "Hugging Face Inference Endpoints",
        "finetrieve.generation.llm.providers.huggingface:HuggingFaceAnswers",
        "huggingface_hub",
        "huggingface",
        "HF_TOKEN",
        False,
    ),
    "anthropic": Provider(
        "Anthropic",
        "finetrieve.generation.llm.providers.anthropic:AnthropicAnswers",
        "anthropic",
        "anthropic",
        "ANTHROPIC_API_KEY",
    ),
    "mistral": Provider(
        "Mistral", "finetrieve.generation.llm.providers.mistral:MistralAnswers", "mistralai", "mistral", "MISTRAL_API_KEY"
    ),
    "litellm": Provider(
        "every provider that LiteLLM knows; the key variable is the one LiteLLM expects",
        "finetrieve.generation.llm.providers.litellm:LiteLLMAnswers",
        "litellm",
        "litellm",
        None,
    ),
    "vllm": Provider(
        "a model run by vLLM in this process, on a GPU",
        "finetrieve.generation.llm.providers.local:VLLMAnswers",
        "vllm",
        "vllm",
        None,
    ),
    "transformers": Provider(
        "a model run by transformers in this process",
        "finetrieve.generation.llm.providers.local:TransformersAnswers",
        "transformers",
        "transformers",
        "HF_TOKEN",
        False,
    ),
}
"""Name -> what is known of it."""

RUN_HERE = frozenset({"transformers", "vllm"})
"""Providers whose model runs in the process of its step."""


def provider_class(name: str) -> Callable[..., Any]:
    """Returns the distilabel LLM class of a provider."""
    module, _, attribute = PROVIDERS[name].place.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found


def check_model_files(name: str, model: str) -> None:
    """Checks that a model which runs in this process is here, or that the Hugging Face Hub has it.

    Raises:
        InputError: It is no model directory, and no model of the Hub's cache or of the Hub.
    """
    if name not in RUN_HERE:
        return
    directory = Path(model).expanduser()
    if directory.is_dir():
        if not (directory / "config.json").is_file():
            raise InputError(f"Model '{model}' is a directory without config.json; expected one that `save_pretrained` wrote.")
        return
    if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", model):
        raise InputError(f"There is no model directory '{model}'. Give a directory, or a Hugging Face Hub id such as org/name.")
    from huggingface_hub import HfApi, try_to_load_from_cache

    if isinstance(try_to_load_from_cache(model, "config.json"), str):
        return
    try:
        HfApi().model_info(model, timeout=10, token=os.environ.get(PROVIDERS[name].key_env or "HF_TOKEN") or None)
    except Exception as error:  # whatever the HTTP client under the hub client raises, which changes with its version
        raise InputError(
            f"Model '{model}' is no directory here, not in the Hugging Face cache, and the Hub does not give it "
            f"({type(error).__name__}). Check the name, the network and HF_TOKEN, or give a model directory."
        ) from None


def check_provider(name: str, api_key_env: str | None, has_secret: bool, has_base_url: bool) -> None:
    """Checks that a provider's client library is installed and that its key is there.

    Raises:
        InputError: The extra or the key is missing.
    """
    provider = PROVIDERS[name]
    if importlib.util.find_spec(provider.package) is None:
        raise InputError(
            f"Provider '{name}' needs the package '{provider.package}', which is not installed: "
            f"pip install -e '.[{provider.extra}]'"
        )
    variable = api_key_env or provider.key_env
    named = api_key_env is not None
    needed = named or (provider.key_env is not None and provider.key_needed and not (name == "openai" and has_base_url))
    if variable is not None and needed and not has_secret and not os.environ.get(variable, "").strip():
        raise InputError(
            f"Provider '{name}' needs a key: the environment variable {variable} is not set. "
            "Set it, or name another with api_key_env, or a ZenML secret with api_key_secret."
        )
