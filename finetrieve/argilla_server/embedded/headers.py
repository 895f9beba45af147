"""What a browser may load for the web UI: this server's own files. Imports only the standard library.

Argilla's style sheet fetches fonts from Google, which tells Google who annotates when, and where that host does not answer
keeps the page blank until the browser gives up. And a text from the web that got past every other guard can still neither
run a script nor load a picture.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

_INLINE = re.compile(r"<script>(.*?)</script>", re.S)

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Any, Send], Awaitable[None]]


class ProtectPages:
    """Middleware that sends the rules with every answer that is not the API's."""

    def __init__(self, app: App, pages: Path) -> None:
        """Reads the pages once.

        Args:
            app: What answers.
            pages: The folder with the web UI: the scripts that stand in its pages are allowed by their content.
        """
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in rules(pages).items()]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Send) -> None:
        """Answers, with the rules."""

        async def send_with_rules(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        is_page = scope["type"] == "http" and not scope["path"].startswith("/api/")
        await self._app(scope, receive, send_with_rules if is_page else send)


def rules(pages: Path) -> dict[str, str]:
    """Returns the headers."""
    scripts = {script for page in pages.rglob("*.html") for script in _INLINE.findall(page.read_text(encoding="utf-8"))}
    allowed = " ".join(sorted(f"'sha256-{_digest(script)}'" for script in scripts))
    policy = [
        "default-src 'self'",
        f"script-src 'self' {allowed}",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
    return {
        "content-security-policy": "; ".join(policy),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
