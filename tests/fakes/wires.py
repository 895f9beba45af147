"""The wire formats: how each service reads a request, shapes an answer and words its errors."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import orjson

from tests.fakes.faults import REFUSAL
from tests.fakes.requests import LlmRequest, tokens

_NOT_CONTENT = frozenset({"stream", "user", "keep_alive", "metadata"})
_SEEDS_BELOW = 2**31
"""distilabel's class for Inference Endpoints draws a seed up to 2**63 for each request that names none; such a seed is no content."""
REASONING_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Problem:
    """An answer with an error status."""

    status: int
    body: dict[str, Any] | str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choices:
    """An answer's choices, before a wire shapes it."""

    texts: list[str]
    finish: str = "stop"
    """`stop`, `length`, `content_filter` or `refusal`."""

    @property
    def completion_tokens(self) -> int:
        """Tokens of all choices; an empty answer was still generated."""
        return max(1, sum(tokens(text) for text in self.texts))


class Wire(Protocol):
    """One service's API."""

    name: str

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Returns the key that a request carries."""

    def read_request(self, body: dict[str, Any], model: str | None) -> LlmRequest | Problem:
        """Returns what a request asks for; `model` stands in the path where a wire has it there."""

    def answer(self, llm_request: LlmRequest, choices: Choices) -> dict[str, Any]:
        """Returns the body of a good answer."""

    def problem(self, kind: str, llm_request: LlmRequest | None, detail: str = "", retry_after: float = 0.0) -> Problem:
        """Returns the error of a kind."""


def _identity(wire: str, body: Mapping[str, Any]) -> str:
    content = {key: value for key, value in body.items() if key not in _NOT_CONTENT}
    if isinstance(content.get("seed"), int) and content["seed"] >= _SEEDS_BELOW:
        del content["seed"]
    return hashlib.blake2b(orjson.dumps([wire, content], option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def _messages(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(str(message.get("role")), _text(message.get("content"))) for message in body.get("messages", [])]


def _bearer(headers: Mapping[str, str]) -> str | None:
    kind, _, key = headers.get("Authorization", "").partition(" ")
    return key if kind.casefold() == "bearer" else None


def _masked(key: str) -> str:
    return f"{key[:3]}{'*' * max(3, len(key) - 7)}{key[-4:]}"


def reasons(model: str) -> bool:
    """Whether a model is one of those that refuse `max_tokens` and a temperature, and spend tokens on thinking."""
    return model.startswith(("o1", "o3", "o4", "gpt-5"))


class OpenAI:
    """Chat completions of OpenAI, and of every server that speaks like it."""

    name = "openai"

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Returns the bearer key, or Azure's."""
        return headers.get("api-key") or _bearer(headers)

    def read_request(self, body: dict[str, Any], model: str | None) -> LlmRequest | Problem:
        """Returns the request, or OpenAI's 400 for what newer models refuse."""
        body = {**body, "model": body.get("model") or model or ""}
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            return self._invalid("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
        if refused := self._refused_setting(body):
            return refused
        form = body.get("response_format") or {}
        schema = (form.get("json_schema") or {}).get("schema") if form.get("type") == "json_schema" else None
        tool, tool_schema = _forced_tool(body)
        return LlmRequest(
            model=body["model"],
            messages=_messages(body),
            identity=_identity(self.name, body),
            schema=tool_schema or schema,
            json_mode=form.get("type") == "json_object",
            tool=tool,
            max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
            choices=body.get("n") or 1,
            stream=bool(body.get("stream")),
            body=body,
        )

    def _refused_setting(self, body: Mapping[str, Any]) -> Problem | None:
        form, words = body.get("response_format") or {}, " ".join(text for _, text in _messages(body))
        if form.get("type") == "json_object" and "json" not in words.casefold():
            return self._invalid(
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
                "messages",
                None,
            )
        if not reasons(body["model"]):
            return None
        if body.get("max_tokens") is not None:
            return self._invalid(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                "max_tokens",
                "unsupported_parameter",
            )
        for name, default in (("temperature", 1), ("top_p", 1), ("presence_penalty", 0), ("frequency_penalty", 0)):
            value = body.get(name)
            if value is not None and value != default:
                return self._invalid(
                    f"Unsupported value: '{name}' does not support {value} with this model. Only the default ({default}) value is supported.",
                    name,
                    "unsupported_value",
                )
        return None

    def answer(self, llm_request: LlmRequest, choices: Choices) -> dict[str, Any]:
        """Returns a chat completion."""
        thought = REASONING_TOKENS if reasons(llm_request.model) else 0
        generated = choices.completion_tokens + thought
        return {
            "id": f"chatcmpl-{llm_request.identity}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": llm_request.model,
            "choices": [self._choice(llm_request, choices, place, text) for place, text in enumerate(choices.texts)],
            "usage": {
                "prompt_tokens": llm_request.prompt_tokens,
                "completion_tokens": generated,
                "total_tokens": llm_request.prompt_tokens + generated,
                "completion_tokens_details": {"reasoning_tokens": thought},
            },
            "system_fingerprint": "fp_loopback",
        }

    def _choice(self, llm_request: LlmRequest, choices: Choices, place: int, text: str) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        finish = "content_filter" if choices.finish == "content_filter" else "length" if choices.finish == "length" else "stop"
        if choices.finish == "refusal" and llm_request.schema:
            message |= {"content": None, "refusal": REFUSAL}
        elif choices.finish == "content_filter":
            message |= {"content": None}
        elif llm_request.tool:
            call = {"id": f"call_{place}", "type": "function", "function": {"name": llm_request.tool, "arguments": text}}
            message |= {"content": None, "tool_calls": [call]}
        return {"index": place, "message": message, "logprobs": None, "finish_reason": finish}

    def _invalid(self, message: str, parameter: str | None, code: str | None) -> Problem:
        return Problem(400, {"error": {"message": message, "type": "invalid_request_error", "param": parameter, "code": code}})

    def problem(self, kind: str, llm_request: LlmRequest | None, detail: str = "", retry_after: float = 0.0) -> Problem:
        """Returns OpenAI's body for a kind of error."""
        model = llm_request.model if llm_request else ""
        messages = {
            "unauthorized": f"Incorrect API key provided: {_masked(detail)}. You can find your API key at https://platform.openai.com/account/api-keys.",
            "forbidden": "Country, region, or territory not supported",
            "not_found": f"The model `{model}` does not exist or you do not have access to it.",
            "context": f"This model's maximum context length is {detail} tokens. However, your messages resulted in "
            f"{llm_request.prompt_tokens if llm_request else 0} tokens. Please reduce the length of the messages.",
            "quota": "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
            "read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
            "rate_limit": f"Rate limit reached for {model} in organization org-loopback on requests per min (RPM): Limit 500, Used 500, "
            f"Requested 1. Please try again in {int(retry_after * 1000)}ms.",
            "server_error": "The server had an error while processing your request. Sorry about that!",
            "unavailable": "The engine is currently overloaded, please try again later",
            "structured": "This server does not support response_format",
            "stream": "This server does not stream",
        }
        types = {
            "unauthorized": (401, "invalid_request_error", None, "invalid_api_key"),
            "forbidden": (403, "request_forbidden", None, "unsupported_country_region_territory"),
            "not_found": (404, "invalid_request_error", None, "model_not_found"),
            "context": (400, "invalid_request_error", "messages", "context_length_exceeded"),
            "quota": (429, "insufficient_quota", None, "insufficient_quota"),
            "rate_limit": (429, "requests", None, "rate_limit_exceeded"),
            "server_error": (500, "server_error", None, None),
            "unavailable": (503, "server_error", None, None),
            "structured": (400, "invalid_request_error", "response_format", "unsupported_parameter"),
            "stream": (400, "invalid_request_error", "stream", "unsupported_parameter"),
        }
        status, type_, parameter, code = types[kind]
        body = {"error": {"message": messages[kind], "type": type_, "param": parameter, "code": code}}
        return Problem(status, body, _retry_headers(kind, retry_after))


def _forced_tool(body: Mapping[str, Any]) -> tuple[str | None, dict[str, Any] | None]:
    """The function that has to be called, as `instructor` asks for structured output."""
    choice = body.get("tool_choice")
    tools = {tool["function"]["name"]: tool["function"].get("parameters") for tool in body.get("tools") or []}
    if isinstance(choice, dict):
        name = choice["function"]["name"]
        return name, tools.get(name)
    return next(iter(tools.items())) if tools and choice in {"required", "any"} else (None, None)


def _retry_headers(kind: str, retry_after: float) -> dict[str, str]:
    if kind not in {"rate_limit", "unavailable"} or not retry_after:
        return {}
    # RFC 9110 knows whole seconds only; OpenAI adds milliseconds, which its client prefers.
    return {"Retry-After": str(math.ceil(retry_after)), "retry-after-ms": str(int(retry_after * 1000))}


class Mistral(OpenAI):
    """Mistral's chat completions: OpenAI's shape, its own errors."""

    name = "mistral"

    def _refused_setting(self, body: Mapping[str, Any]) -> Problem | None:
        return None

    def problem(self, kind: str, llm_request: LlmRequest | None, detail: str = "", retry_after: float = 0.0) -> Problem:
        """Returns Mistral's body for a kind of error."""
        if kind == "unauthorized":
            return Problem(401, {"detail": "Unauthorized"})
        known = {
            "forbidden": (403, "You do not have access to this resource.", "forbidden", "1000"),
            "not_found": (400, f"Invalid model: {llm_request.model if llm_request else ''}", "invalid_model", "1500"),
            "context": (
                400,
                f"Prompt contains {llm_request.prompt_tokens if llm_request else 0} tokens, too large for model with {detail} maximum context length",
                "invalid_request_prompt",
                "3051",
            ),
            "quota": (
                402,
                "You have reached your usage limit. Please check your plan and billing details.",
                "payment_required",
                "1110",
            ),
            "rate_limit": (429, "Requests rate limit exceeded", "rate_limited", "1300"),
            "server_error": (500, "Internal server error", "internal_server_error", "1000"),
            "unavailable": (503, "Service unavailable.", "internal_server_error", "1001"),
            "structured": (400, "response_format is not supported by this model", "invalid_request_error", "3000"),
            "stream": (400, "This server does not stream", "invalid_request_error", "3000"),
        }
        status, message, type_, code = known[kind]
        body = {"object": "error", "message": message, "type": type_, "param": None, "code": code}
        return Problem(status, body, _retry_headers(kind, retry_after))


class HuggingFace(OpenAI):
    """Text Generation Inference behind an Inference Endpoint: chat completions, and TGI's own `generate`."""

    name = "huggingface"

    def _refused_setting(self, body: Mapping[str, Any]) -> Problem | None:
        return None

    def read_request(self, body: dict[str, Any], model: str | None) -> LlmRequest | Problem:
        """Returns the request of a chat, or of `{"inputs": ..., "parameters": ...}`."""
        if "inputs" in body:
            settings = body.get("parameters") or {}
            grammar = settings.get("grammar") or {}
            identity = _identity(self.name, {"inputs": body["inputs"], **settings})
            return LlmRequest(
                model=model or "tgi",
                messages=[("user", str(body["inputs"]))],
                identity=identity,
                schema=grammar.get("value") if grammar.get("type") in {"json", "json_schema"} else None,
                max_tokens=settings.get("max_new_tokens"),
                stream=bool(body.get("stream")),
                body=body,
            )
        form = body.get("response_format") or {}
        schema = form.get("value") if form.get("type") in {"json", "json_object"} else None
        asked = super().read_request(body, model or "tgi")
        return replace(asked, schema=schema) if schema and isinstance(asked, LlmRequest) else asked

    def answer(self, llm_request: LlmRequest, choices: Choices) -> dict[str, Any]:
        """Returns a chat completion, or what `generate` returns."""
        if "inputs" not in llm_request.body:
            return super().answer(llm_request, choices)
        finish = "length" if choices.finish == "length" else "eos_token"
        details = {
            "finish_reason": finish,
            "generated_tokens": choices.completion_tokens,
            "seed": None,
            "prefill": [],
            "tokens": [],
        }
        return {"generated_text": choices.texts[0], "details": details}

    def problem(self, kind: str, llm_request: LlmRequest | None, detail: str = "", retry_after: float = 0.0) -> Problem:
        """Returns TGI's, or its proxy's, body for a kind of error."""
        known = {
            "unauthorized": (401, "Invalid credentials in Authorization header", "unauthorized"),
            "forbidden": (
                403,
                "This authentication method does not have sufficient permissions to call Inference Providers",
                "forbidden",
            ),
            "not_found": (404, f"Model {llm_request.model if llm_request else ''} does not exist", "not_found"),
            "context": (
                422,
                f"Input validation error: `inputs` tokens + `max_new_tokens` must be <= {detail}. Given: "
                f"{llm_request.prompt_tokens if llm_request else 0} `inputs` tokens and {(llm_request.max_tokens or 0) if llm_request else 0} `max_new_tokens`",
                "validation",
            ),
            "quota": (402, "You have exceeded your monthly included credits for Inference Providers.", "payment_required"),
            "rate_limit": (429, "Model is overloaded", "overloaded"),
            "server_error": (500, "Request failed during generation: Server error", "generation"),
            "unavailable": (503, "503 Service Unavailable", "unavailable"),
            "structured": (422, "Input validation error: grammar is not supported", "validation"),
            "stream": (422, "Input validation error: this server does not stream", "validation"),
        }
        status, message, type_ = known[kind]
        return Problem(status, {"error": message, "error_type": type_}, _retry_headers(kind, retry_after))


class Anthropic:
    """Anthropic's messages."""

    name = "anthropic"

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Returns the key of `x-api-key`, or the bearer token."""
        return headers.get("x-api-key") or _bearer(headers)

    def read_request(self, body: dict[str, Any], model: str | None) -> LlmRequest | Problem:
        """Returns the request, or Anthropic's 400 where `max_tokens` is missing."""
        if not isinstance(body.get("max_tokens"), int):
            return self._error(400, "invalid_request_error", "max_tokens: Field required")
        if not body.get("messages"):
            return self._error(400, "invalid_request_error", "messages: at least one message is required")
        if any(role == "system" for role, _ in _messages(body)):
            return self._error(
                400,
                "invalid_request_error",
                'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an input message role.',
            )
        form = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
        tools = {tool["name"]: tool.get("input_schema") for tool in body.get("tools") or []}
        choice = body.get("tool_choice") or {}
        tool = choice.get("name") or (next(iter(tools)) if tools and choice.get("type") == "any" else None)
        system = [("system", _text(body["system"]))] if body.get("system") else []
        return LlmRequest(
            model=str(body.get("model", "")),
            messages=[*system, *_messages(body)],
            identity=_identity(self.name, body),
            schema=tools.get(tool) if tool else form.get("schema"),
            tool=tool,
            max_tokens=body["max_tokens"],
            stream=bool(body.get("stream")),
            body=body,
        )

    def answer(self, llm_request: LlmRequest, choices: Choices) -> dict[str, Any]:
        """Returns a message."""
        text = choices.texts[0]
        content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
        stop = {"length": "max_tokens", "refusal": "refusal", "content_filter": "refusal"}.get(choices.finish, "end_turn")
        if llm_request.tool and stop == "end_turn" and text:
            content = [
                {"type": "tool_use", "id": f"toolu_{llm_request.identity}", "name": llm_request.tool, "input": orjson.loads(text)}
            ]
            stop = "tool_use"
        return {
            "id": f"msg_{llm_request.identity}",
            "type": "message",
            "role": "assistant",
            "model": llm_request.model,
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": {"input_tokens": llm_request.prompt_tokens, "output_tokens": choices.completion_tokens},
        }

    def _error(self, status: int, type_: str, message: str, headers: dict[str, str] | None = None) -> Problem:
        return Problem(status, {"type": "error", "error": {"type": type_, "message": message}}, headers or {})

    def problem(self, kind: str, llm_request: LlmRequest | None, detail: str = "", retry_after: float = 0.0) -> Problem:
        """Returns Anthropic's body for a kind of error."""
        known = {
            "unauthorized": (401, "authentication_error", "invalid x-api-key"),
            "forbidden": (403, "permission_error", "Your API key does not have permission to use the specified resource."),
            "not_found": (404, "not_found_error", f"model: {llm_request.model if llm_request else ''}"),
            "context": (
                400,
                "invalid_request_error",
                f"prompt is too long: {llm_request.prompt_tokens if llm_request else 0} tokens > {detail} maximum",
            ),
            "quota": (
                400,
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
            ),
            "rate_limit": (
                429,
                "rate_limit_error",
                "This request would exceed your organization's rate limit of 50 requests per minute.",
            ),
            "server_error": (500, "api_error", "Internal server error"),
            "unavailable": (529, "overloaded_error", "Overloaded"),
            "structured": (400, "invalid_request_error", "output_config: Extra inputs are not permitted"),
            "stream": (400, "invalid_request_error", "stream: this server does not stream"),
        }
        status, type_, message = known[kind]
        return self._error(status, type_, message, _retry_headers(kind, retry_after))


class Ollama:
    """Ollama's `chat` and `generate`; a prompt that is longer than `num_ctx` is cut without a word, as Ollama does."""

    name = "ollama"
    default_window = 4096

    def key(self, headers: Mapping[str, str]) -> str | None:
        """Returns the bearer key, which a proxy in front may want."""
        return _bearer(headers)

    def read_request(self, body: dict[str, Any], model: str | None) -> LlmRequest | Problem:
        """Returns the request of a chat, or of `prompt` and `system`."""
        if not body.get("model"):
            return Problem(400, {"error": "model is required"})
        options = body.get("options") or {}
        wanted = body.get("format")
        messages = _messages(body) if "messages" in body else self._prompted(body)
        if not messages:
            return Problem(400, {"error": "messages is required"})
        limit = options.get("num_predict")
        return LlmRequest(
            model=str(body["model"]),
            messages=messages,
            identity=_identity(self.name, body),
            schema=wanted if isinstance(wanted, dict) else None,
            json_mode=wanted == "json",
            max_tokens=limit if isinstance(limit, int) and limit > 0 else None,
            stream=body.get("stream", True) is not False,
            body=body,
        )

    def _prompted(self, body: Mapping[str, Any]) -> list[tuple[str, str]]:
        return [(role, str(body[name])) for role, name in (("system", "system"), ("user", "prompt")) if body.get(name)]

    def answer(self, llm_request: LlmRequest, choices: Choices) -> dict[str, Any]:
        """Returns a whole answer; streamed, it is the last line."""
        window = (llm_request.body.get("options") or {}).get("num_ctx") or self.default_window
        text = choices.texts[0]
        said: dict[str, Any] = (
            {"message": {"role": "assistant", "content": text}} if "messages" in llm_request.body else {"response": text}
        )
        return {
            "model": llm_request.model,
            "created_at": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}Z",
            **said,
            "done": True,
            "done_reason": "length" if choices.finish == "length" else "stop",
            "total_duration": 1_000_000,
            "load_duration": 1_000,
            "prompt_eval_count": min(llm_request.prompt_tokens, window),
            "prompt_eval_duration": 100_000,
            "eval_count": choices.completion_tokens,
            "eval_duration": 900_000,
        }

    def problem(self, kind: str, llm_request: LlmRequest | None, detail: str = "", retry_after: float = 0.0) -> Problem:
        """Returns Ollama's body for a kind of error."""
        known = {
            "unauthorized": (401, "unauthorized"),
            "forbidden": (403, "forbidden"),
            "not_found": (404, f"model '{llm_request.model if llm_request else ''}' not found"),
            "context": (400, "the input length exceeds the context length"),
            "quota": (402, "you have reached your usage limit, upgrade for higher limits"),
            "rate_limit": (429, "too many requests"),
            "server_error": (500, "llama runner process has terminated: exit status 2"),
            "unavailable": (503, "server busy, please try again.  maximum pending requests exceeded"),
            "structured": (500, "format is not supported by this model"),
            "stream": (400, "this server does not stream"),
        }
        status, message = known[kind]
        return Problem(status, {"error": message}, _retry_headers(kind, retry_after))
