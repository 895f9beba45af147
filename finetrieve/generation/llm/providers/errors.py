"""Errors of LLM requests: what an exception of any provider's client library means, in one class and ten kinds."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from finetrieve.core.failures import causes
from finetrieve.core.secrets import mask_secrets

Kind = Literal["rate_limit", "server", "timeout", "connection", "key", "model", "quota", "too_long", "unsupported", "request"]

TRANSIENT = frozenset({"rate_limit", "server", "timeout", "connection"})
"""Worth asking again as it is."""
FATAL = frozenset({"key", "model", "quota"})
"""Every further request would fail in the same way."""

_QUOTA = ("insufficient_quota", "exceeded your current quota", "credit balance", "payment required")
_BILLING = ("billing", "usage limit", "spending limit")
_UNKNOWN_MODEL = ("invalid model", "invalid_model", "model_not_found", "unknown model", "no such model")
_FLAGGED = ("moderation", "flagged", "content_filter", "content management policy")
_TOO_LONG = (
    "context_length_exceeded",
    "context length",
    "context window",
    "context size",
    "maximum context",
    "too long",
    "too many tokens",
    "input token count",
    "`inputs` tokens",
)
_UNSUPPORTED = (
    "unsupported_parameter",
    "unsupported_value",
    "unsupported parameter",
    "unsupported value",
    "not supported",
    "does not support",
    "unrecognized request argument",
    "extra inputs are not permitted",
)
_TRY_AGAIN = re.compile(r"\b(?:re)?try(?: again)? in (\d+(?:\.\d+)?)\s?(ms|s|m)\b")
_CONNECTION = (
    "connect",
    "disconnect",
    "protocolerror",
    "transport",
    "networkerror",
    "readerror",
    "writeerror",
    "payloaderror",
    "oserror",
)
_NEVER_REACHED = (
    "connecterror",
    "refused",
    "name or service",
    "nodename",
    "all connection attempts failed",
    "cannot connect",
    "failed to connect",
    "connect call failed",
    "connecttimeout",
    "connectiontimeout",
)
_LONGEST = 300


@dataclass(eq=False)
class ProviderError(Exception):
    """A request that got no reply."""

    kind: Kind
    text: str
    """One line, without anything secret: the message of the client library."""
    retry_after: float | None = None
    """Seconds that the server asks to wait."""
    never_reached: bool = False
    """The server could not even be connected to."""
    answered: bool = False
    """The server refused it; otherwise nothing came from it."""
    tries: int = 1
    """After which it was given up."""

    def __str__(self) -> str:
        return self.text


def classify_error(error: BaseException, secret: str = "") -> ProviderError:
    """Returns what an exception of any client library means; `secret` and all keys of the environment are cut out of it."""
    if isinstance(error, ProviderError):
        return error
    status = next((status for cause in causes(error) if (status := _status(cause)) is not None), None)
    text = _one_line(error, secret)
    names = " ".join(type(cause).__name__.lower() for cause in causes(error))
    never_reached = any(words in names or words in text.lower() for words in _NEVER_REACHED)
    # First the connection: LiteLLM gives a status to connections that never were.
    if isinstance(error, TimeoutError) or "timeout" in names:
        return ProviderError("timeout", "no answer in time", never_reached=never_reached)
    if _any(_CONNECTION, names) or (status is None and (never_reached or isinstance(error, OSError))):
        return ProviderError("connection", text, never_reached=never_reached)
    if status is not None:
        wait = _retry_after(error, text.lower())
        return ProviderError(_kind_of_status(status, text.lower(), wait is not None), text, wait, answered=True)
    if isinstance(error, ValueError):
        # A body that is cut off or no JSON: the client reads it as a value error.
        return ProviderError("server", f"unreadable response: {text}")
    return ProviderError("request", text)


def _kind_of_status(status: int, text: str, says_when: bool) -> Kind:
    # Some providers word a limit per minute as a quota: it ends when they say.
    if status == 402 or "insufficient_quota" in text or (status in (400, 403, 429) and not says_when and _any(_QUOTA, text)):
        return "quota"
    if status in (400, 403) and _any(_BILLING, text):
        return "quota"
    if status in (400, 403) and _any(_FLAGGED, text):
        return "request"
    if status in (401, 403):
        return "key"
    if status == 404 or (status == 400 and _any(_UNKNOWN_MODEL, text)):
        return "model"
    if status == 429:
        return "rate_limit"
    if status in (408, 504):
        return "timeout"
    if _any(_TOO_LONG, text):
        return "too_long"
    if _any(_UNSUPPORTED, text):
        return "unsupported"
    return "server" if status >= 500 or status in (409, 425) else "request"


def _any(words: tuple[str, ...], text: str) -> bool:
    return any(word in text for word in words)


def _status(error: BaseException) -> int | None:
    for holder in (error, getattr(error, "response", None), getattr(error, "raw_response", None)):
        for name in ("status_code", "status"):
            value = getattr(holder, name, None)
            if isinstance(value, int) and 400 <= value < 600:
                return value
    return None


def _retry_after(error: BaseException, text: str) -> float | None:
    """Returns the seconds that the headers, or else the words of an error ask to wait."""
    headers = next((found for cause in causes(error) if (found := _headers(cause)) is not None), {})
    if (milliseconds := headers.get("retry-after-ms")) is not None and _is_number(milliseconds):
        return max(0.0, float(milliseconds) / 1000)
    value = headers.get("retry-after")
    if value is None:
        match = _TRY_AGAIN.search(text)
        return float(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[match[2]] if match else None
    if _is_number(value):
        return max(0.0, float(value))
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _headers(error: BaseException) -> Mapping[str, str] | None:
    for holder in (getattr(error, "response", None), getattr(error, "raw_response", None), error):
        headers: Any = getattr(error, "litellm_response_headers", None) or getattr(holder, "headers", None)
        if headers is not None and hasattr(headers, "get"):
            return {str(name).lower(): str(value) for name, value in dict(headers).items()}
    return None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*\d+(\.\d+)?\s*", text) is not None


def _one_line(error: BaseException, secret: str) -> str:
    """Returns the message and its innermost cause, on one line; a key that a server echoes is left out."""
    chain = causes(error)
    parts = [" ".join(str(cause).split()) for cause in (chain[0], chain[-1])]
    # httpx says no more of a status than the status.
    adds = parts[1] and parts[1] not in parts[0] and "For more information check" not in parts[1]
    text = " ".join(part for part in (parts[0], f"({parts[1]})" if adds else "") if part)
    text = mask_secrets(re.sub(r"\s*For more information check: \S+", "", text), secret) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
