"""Batches as OpenAI and Anthropic take them: handed over, answered after a while, collected."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from tests.fakes.faults import REFUSED
from tests.fakes.wires import Anthropic, OpenAI, Problem, Wire

if TYPE_CHECKING:
    from tests.fakes.llm import _Server


@dataclass
class Handed:
    """A batch."""

    id: str
    items: list[dict[str, Any]]
    metadata: dict[str, str] = field(default_factory=dict)
    input_file: str = ""
    error: str = ""
    made: float = field(default_factory=time.time)


class Batches:
    """Both services' batches of a server; what is asked in them is answered as if it were asked singly."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self.forget()

    @property
    def counts(self) -> dict[str, int]:
        """How many batches were handed over, with how many requests."""
        handed = [*self._openai.values(), *self._anthropic.values()]
        return {"batches": len(handed), "batch_requests": sum(len(batch.items) for batch in handed)}

    def forget(self) -> None:
        self._files: dict[str, bytes] = {}
        self._openai: dict[str, Handed] = {}
        self._anthropic: dict[str, Handed] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/files", self._upload),
            web.get("/v1/files/{id}/content", self._content),
            web.post("/v1/batches", self._create),
            web.get("/v1/batches", self._list),
            web.get("/v1/batches/{id}", self._retrieve),
            web.post("/v1/messages/batches", self._create_messages),
            web.get("/v1/messages/batches", self._list_messages),
            web.get("/v1/messages/batches/{id}", self._retrieve_messages),
            web.get("/v1/messages/batches/{id}/results", self._results),
        ]

    def _ended(self, batch: Handed) -> bool:
        return time.time() - batch.made >= self._server.settings.batch_seconds

    def _answer(self, wire: Wire, body: dict[str, Any]) -> tuple[int, Any]:
        """(status, body) of one answer."""
        asked = wire.read_request(body, None)
        if isinstance(asked, Problem):
            return asked.status, asked.body
        fault = self._server._fault(asked, self._server.journal.attempt(asked.identity))
        if fault in REFUSED | {"hang", "reset", "half_body"}:
            problem = wire.problem("server_error", asked)
            return problem.status, problem.body
        return 200, wire.answer(asked, self._server._choices(asked, fault))

    def _let_in(self, wire: Wire, request: web.Request) -> None:
        if self._server.settings.key and wire.key(request.headers) != self._server.settings.key:
            problem = wire.problem("unauthorized", None, wire.key(request.headers) or "")
            raise web.HTTPUnauthorized(body=orjson.dumps(problem.body), content_type="application/json")

    # OpenAI's.

    async def _upload(self, request: web.Request) -> web.Response:
        self._let_in(OpenAI(), request)
        form = await request.post()
        content = form["file"].file.read()  # type: ignore[union-attr]
        name = f"file-{len(self._files)}"
        self._files[name] = content
        facts = {"id": name, "object": "file", "bytes": len(content), "created_at": int(time.time())}
        return web.json_response({**facts, "filename": "requests.jsonl", "purpose": "batch", "status": "processed"})

    async def _create(self, request: web.Request) -> web.Response:
        self._let_in(OpenAI(), request)
        body = await request.json()
        items = [orjson.loads(line) for line in self._files[body["input_file_id"]].splitlines()]
        batch = Handed(f"batch_{len(self._openai)}", items, body.get("metadata") or {}, body["input_file_id"])
        batch.error = self._server.settings.batch_error
        self._openai[batch.id] = batch
        return web.json_response(self._shape(batch))

    def _shape(self, batch: Handed) -> dict[str, Any]:
        status = "failed" if batch.error else "completed" if self._ended(batch) else "in_progress"
        done = status == "completed"
        errors = {"object": "list", "data": [{"code": "invalid", "message": batch.error}]} if batch.error else None
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "errors": errors,
            "input_file_id": batch.input_file,
            "completion_window": "24h",
            "status": status,
            "output_file_id": f"out-{batch.id}" if done else None,
            "error_file_id": f"err-{batch.id}" if done else None,
            "created_at": int(batch.made),
            "request_counts": {"total": len(batch.items), "completed": len(batch.items) * done, "failed": 0},
            "metadata": batch.metadata,
        }

    async def _list(self, request: web.Request) -> web.Response:
        self._let_in(OpenAI(), request)
        found = sorted(self._openai.values(), key=lambda batch: -batch.made)
        return web.json_response({"object": "list", "data": [self._shape(batch) for batch in found], "has_more": False})

    async def _retrieve(self, request: web.Request) -> web.Response:
        self._let_in(OpenAI(), request)
        return web.json_response(self._shape(self._openai[request.match_info["id"]]))

    async def _content(self, request: web.Request) -> web.Response:
        self._let_in(OpenAI(), request)
        kind, _, name = request.match_info["id"].partition("-")
        lines = []
        for item in self._openai[name].items:
            status, body = self._answer(OpenAI(), item["body"])
            if (status == 200) == (kind == "out"):
                response = {"status_code": status, "request_id": "r", "body": body}
                lines.append(orjson.dumps({"id": "b", "custom_id": item["custom_id"], "response": response, "error": None}))
        return web.Response(body=b"\n".join(lines), content_type="application/jsonl")

    # Anthropic's.

    async def _create_messages(self, request: web.Request) -> web.Response:
        self._let_in(Anthropic(), request)
        body = await request.json()
        batch = Handed(f"msgbatch_{len(self._anthropic)}", body["requests"])
        self._anthropic[batch.id] = batch
        return web.json_response(self._messages_shape(batch, request))

    def _messages_shape(self, batch: Handed, request: web.Request) -> dict[str, Any]:
        ended, number = self._ended(batch), len(batch.items)
        at = datetime.fromtimestamp(batch.made, UTC).isoformat()
        counts = {"processing": 0 if ended else number, "succeeded": number if ended else 0}
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": {**counts, "errored": 0, "canceled": 0, "expired": 0},
            "created_at": at,
            "expires_at": at,
            "ended_at": at if ended else None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": f"{request.url.origin()}/v1/messages/batches/{batch.id}/results" if ended else None,
        }

    async def _list_messages(self, request: web.Request) -> web.Response:
        self._let_in(Anthropic(), request)
        found = sorted(self._anthropic.values(), key=lambda batch: -batch.made)
        data = [self._messages_shape(batch, request) for batch in found]
        return web.json_response({"data": data, "has_more": False, "first_id": None, "last_id": None})

    async def _retrieve_messages(self, request: web.Request) -> web.Response:
        self._let_in(Anthropic(), request)
        return web.json_response(self._messages_shape(self._anthropic[request.match_info["id"]], request))

    async def _results(self, request: web.Request) -> web.Response:
        self._let_in(Anthropic(), request)
        lines = []
        for item in self._anthropic[request.match_info["id"]].items:
            status, body = self._answer(Anthropic(), item["params"])
            result = {"type": "succeeded", "message": body} if status == 200 else {"type": "errored", "error": body}
            lines.append(orjson.dumps({"custom_id": item["custom_id"], "result": result}))
        return web.Response(body=b"\n".join(lines), content_type="application/x-jsonl")
