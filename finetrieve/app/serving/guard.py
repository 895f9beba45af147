"""What stands before the server's answers: the key, the size of a body, the number of requests, and the time they take."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections import Counter
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from finetrieve.app.serving.settings import ServeSettings

OPEN_PATHS = ("/health",)
"""What a load balancer asks, without a key and in nobody's queue."""


class Guard:
    """ASGI middleware that lets in what has the key and fits the limits, and answers all else in JSON."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app, self._limits = app, settings.limits
        self._key = None if settings.key is None else settings.key.encode()
        self._running: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        if not self._has_key(scope):
            headers = {"www-authenticate": 'Basic realm="finetrieve", charset="UTF-8"'}
            await _refuse(send, 401, "A key is needed: Authorization: Bearer KEY, or the password of any user.", headers)
            return
        client = (scope.get("client") or ("",))[0]
        if self._running.total() >= self._limits.requests:
            await _refuse(send, 503, "Too many requests at a time; try again in a second.", {"retry-after": "1"})
            return
        if self._running[client] >= self._limits.requests_per_client:
            await _refuse(send, 429, f"At most {self._limits.requests_per_client} requests at a time.", {"retry-after": "1"})
            return
        self._running[client] += 1
        work: asyncio.Task[list[Message]] | None = None
        try:
            body = await self._read(scope, receive, send)
            if body is None:
                return
            work = asyncio.ensure_future(self._answer(scope, body))
            await asyncio.wait({work}, timeout=self._limits.seconds)
            if not work.done():
                plain = {"content-type": "text/plain; charset=utf-8"} if scope["path"] == "/" else {}  # for a browser
                await _refuse(send, 504, f"It took more than {self._limits.seconds:g} seconds.", plain)
                return
            for message in work.result():
                await send(message)
        finally:
            if work is None or work.done():
                self._leave(client)
            else:  # the work goes on in its thread, and its place is taken until it ends
                work.add_done_callback(lambda done: self._leave(client, done))

    def _leave(self, client: str, work: asyncio.Task[Any] | None = None) -> None:
        self._running[client] -= 1
        if self._running[client] <= 0:
            del self._running[client]
        if work is not None and not work.cancelled():
            work.exception()  # nobody waits for it any more

    def _has_key(self, scope: Scope) -> bool:
        """Returns whether a request brings the key; how long that takes says nothing about where it differs."""
        if self._key is None:
            return True
        headers: MutableMapping[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"x-api-key", b"")
        scheme, _, value = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() == b"bearer":
            given = value.strip()
        elif scheme.lower() == b"basic":  # a browser's
            try:
                given = base64.b64decode(value, validate=True).partition(b":")[2]
            except ValueError:
                return False
        return hmac.compare_digest(given, self._key)

    async def _read(self, scope: Scope, receive: Receive, send: Send) -> bytes | None:
        """Returns the body, or None after refusing one that is too large or too slow."""
        most = self._limits.body_bytes
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 12 or int(length) > most:
            await _refuse(send, 413, f"The body is larger than {most:,} bytes.", {})
            return None
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    if len(body) > most:
                        await _refuse(send, 413, f"The body is larger than {most:,} bytes.", {})
                        return None
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError:
            await _refuse(send, 408, f"The body did not arrive within {self._limits.seconds:g} seconds.", {})
            return None

    async def _answer(self, scope: Scope, body: bytes) -> list[Message]:
        """Returns the messages of an answer."""
        messages: list[Message] = []
        given = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            return given.pop() if given else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, send)
        return messages


async def _refuse(send: Send, status: int, error: str, headers: dict[str, str]) -> None:
    """Answers with an error, in JSON where the headers say nothing else."""
    named = {"content-type": "application/json", **headers}
    body = json.dumps({"error": error}) if named["content-type"] == "application/json" else f"{error} Reload the page.\n"
    pairs = [(name.encode(), value.encode()) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body.encode()})
