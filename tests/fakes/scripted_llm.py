"""A server in an LLM's place, in this process, whose answers a test writes: OpenAI's chat completions over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes.requests import tokens


class ScriptedLlm:
    """A running server, for as long as the `with` block is open.

    Args:
        answer: The user message of a request -> what the model says.
    """

    def __init__(self, answer: Callable[[str], str]) -> None:
        self._answer, self.asked = answer, list[str]()
        self._lock = threading.Lock()

    def __enter__(self) -> ScriptedLlm:
        answer, asked, lock = self._answer, self.asked, self._lock

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                prompt = body["messages"][-1]["content"]
                with lock:
                    asked.append(prompt)
                said = answer(prompt)
                usage = {"prompt_tokens": tokens(prompt), "completion_tokens": tokens(said)}
                message = {"role": "assistant", "content": said}
                choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
                found = {"id": "x", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [choice]}
                sent = json.dumps({**found, "usage": {**usage, "total_tokens": sum(usage.values())}}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def openai(self) -> str:
        """The base URL for OpenAI's clients."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"
