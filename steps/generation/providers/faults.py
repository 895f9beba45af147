"""What went wrong with a request, in the same words for every provider's client library."""

from __future__ import annotations

import asyncio
import email.utils
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["rate_limit", "server", "timeout", "connection", "key", "model", "quota", "too_long", "unsupported", "request"]

TRANSIENT = frozenset({"rate_limit", "server", "timeout", "connection"})
"""Worth asking again as it is."""
FATAL = frozenset({"key", "model", "quota"})
"""Every further request would fail in the same way."""

_QUOTA = ("insufficient_quota", "exceeded your current quota", "billing", "credit balance", "payment required")
_TOO_LONG = ("context_length_exceeded", "context length", "context window", "maximum context", "too long", "too many tokens")
_UNSUPPORTED = (
    "unsupported_parameter",
    "unsupported_value",
    "unsupported parameter",
    "unsupported value",
    "not supported",
    "does not support",
)
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
)


@dataclass(eq=False)
class Fault(Exception):  # noqa: N818  # it is the field's word, and becomes a row's reason
    """A request that got no answer."""

    kind: Kind
    text: str
    """One line, without anything secret: what the client library said."""
    retry_after: float | None = None
    """Seconds that the server asks to wait."""
    never_reached: bool = False
    """The server could not even be connected to."""

    def __str__(self) -> str:
        return self.text


def fault_of(error: BaseException, secret: str = "") -> Fault:
    """Returns what an exception of any client library means; `secret` is cut out of what it says."""
    status = next((status for cause in _causes(error) if (status := _status(cause)) is not None), None)
    text = _one_line(error)
    text = text.replace(secret, "…") if secret else text
    if status is not None:
        return Fault(_kind_of_status(status, text.lower()), text, _retry_after(error))
    names = " ".join(type(cause).__name__.lower() for cause in _causes(error))
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)) or "timeout" in names:
        return Fault("timeout", text or "no answer in time")
    if isinstance(error, OSError) or any(name in names for name in _CONNECTION):
        return Fault("connection", text, never_reached=_never_reached(names, text.lower()))
    if isinstance(error, ValueError):
        # A body that is cut off or no JSON: the client reads it as a value error.
        return Fault("server", f"unreadable response: {text}")
    return Fault("request", text)


def _kind_of_status(status: int, text: str) -> Kind:
    if status == 402 or (status in (400, 403, 429) and any(words in text for words in _QUOTA)):
        return "quota"
    if status in (401, 403):
        return "key"
    if status == 404:
        return "model"
    if status == 429:
        return "rate_limit"
    if status in (408, 504):
        return "timeout"
    if status >= 500 or status in (409, 425):
        return "server"
    if any(words in text for words in _TOO_LONG):
        return "too_long"
    if any(words in text for words in _UNSUPPORTED):
        return "unsupported"
    return "request"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in seen:
        seen.append(current)
        yield current
        current = current.__cause__ or current.__context__


def _status(error: BaseException) -> int | None:
    for holder in (error, getattr(error, "response", None), getattr(error, "raw_response", None)):
        for name in ("status_code", "status"):
            value = getattr(holder, name, None)
            if isinstance(value, int) and 400 <= value < 600:
                return value
    return None


def _retry_after(error: BaseException) -> float | None:
    headers = next((found for cause in _causes(error) if (found := _headers(cause)) is not None), {})
    if (milliseconds := headers.get("retry-after-ms")) is not None and _is_number(milliseconds):
        return max(0.0, float(milliseconds) / 1000)
    value = headers.get("retry-after")
    if value is None:
        return None
    if _is_number(value):
        return max(0.0, float(value))
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _headers(error: BaseException) -> Mapping[str, str] | None:
    for holder in (getattr(error, "response", None), getattr(error, "raw_response", None), error):
        headers: Any = getattr(holder, "headers", None)
        if headers is not None and hasattr(headers, "get"):
            return {str(name).lower(): str(value) for name, value in dict(headers).items()}
    return None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*\d+(\.\d+)?\s*", text) is not None


def _never_reached(names: str, text: str) -> bool:
    return any(words in names or words in text for words in _NEVER_REACHED)


def _one_line(error: BaseException) -> str:
    """Returns the message and its innermost cause, on one line; a key that a server echoes is left out."""
    causes = list(_causes(error))
    parts = [" ".join(str(cause).split()) for cause in (causes[0], causes[-1])]
    text = parts[0] if len(causes) == 1 or parts[1] in parts[0] or not parts[1] else f"{parts[0]} ({parts[1]})"
    text = re.sub(r"(?i)\b(sk|hf|key|bearer)[-_ ][\w*.-]{8,}", r"\1-…", text)
    text = text or type(error).__name__
    return text if len(text) <= 300 else f"{text[:297]}..."
