"""A server that speaks OpenAI's, Ollama's, Anthropic's, Mistral's and TGI's HTTP: `python -m tests.fakes.llm --help`.

    with LlmServer(latency=0.2, faults={"rate_limit": 0.05}) as server:
        OpenAI(base_url=server.openai, api_key=server.key) ...
        print(server.stats())

The server is a process of its own, so that a client can be killed, and neither shares the other's interpreter lock.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import deque
from pathlib import Path
from typing import Any, get_origin

import orjson
from aiohttp import web

from tests.fakes.answers import answer_request, draw, in_form
from tests.fakes.batches import Batches
from tests.fakes.faults import REFUSAL, REFUSED, drawn, spoiled_form, spoiled_words
from tests.fakes.journal import Journal
from tests.fakes.requests import CHARACTERS_PER_TOKEN, LlmRequest
from tests.fakes.settings import ServerSettings
from tests.fakes.wires import REASONING_TOKENS, Anthropic, Choices, HuggingFace, Mistral, Ollama, OpenAI, Problem, Wire, reasons

ROOT = Path(__file__).resolve().parents[2]
_REFUSED_AT_ONCE = REFUSED - {"server_error", "unavailable", "bad_gateway"}
_LARGEST_REQUEST = 64 * 2**20


class LlmServer:
    """A running server, for as long as the `with` block is open."""

    def __init__(self, **settings: Any) -> None:
        self.settings = ServerSettings(**settings)
        self.key = self.settings.key
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> LlmServer:
        command = [sys.executable, "-m", "tests.fakes.llm", "--settings", self.settings.model_dump_json(), "--with-parent"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError(f"the server did not start; exit code {self._process.wait(10)}")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()
        self._process.terminate()
        self._process.wait(10)

    @property
    def openai(self) -> str:
        """The base URL for OpenAI's clients."""
        return f"{self.url}/v1"

    @property
    def ollama(self) -> str:
        """The host for Ollama's client."""
        return self.url

    @property
    def anthropic(self) -> str:
        """The base URL for Anthropic's client."""
        return self.url

    @property
    def mistral(self) -> str:
        """The server URL for Mistral's client."""
        return f"{self.url}/mistral"

    @property
    def huggingface(self) -> str:
        """The base URL of an Inference Endpoint."""
        return f"{self.url}/hf"

    def stats(self) -> dict[str, Any]:
        """Returns the server's counts."""
        return self._call("/stats")

    def reset(self) -> None:
        """Makes the server forget its counts and attempts."""
        self._call("/reset", {})

    def configure(self, **settings: Any) -> None:
        """Changes settings from the next request on; what is not named stays."""
        self._call("/control", settings)

    def _call(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data=data), timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


class _Server:
    """The application's state: settings, journal, and what was asked lately."""

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.journal = Journal(Path(settings.log) if settings.log else None)
        self.recent: deque[float] = deque()
        self.batches = Batches(self)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_REQUEST)
        openai, mistral, hugging_face = OpenAI(), Mistral(), HuggingFace()
        routes: dict[str, Wire] = {
            "/v1/chat/completions": openai,
            "/openai/deployments/{model}/chat/completions": openai,
            "/v1/messages": Anthropic(),
            "/mistral/v1/chat/completions": mistral,
            "/hf": hugging_face,
            "/hf/": hugging_face,
            "/hf/generate": hugging_face,
            "/hf/v1/chat/completions": hugging_face,
            "/api/chat": Ollama(),
            "/api/generate": Ollama(),
        }
        for path, wire in routes.items():
            app.router.add_post(path, self._handler(wire))
        app.add_routes(
            [
                *self.batches.routes(),
                web.get("/", self._alive),
                web.get("/v1/models", self._models),
                web.get("/mistral/v1/models", self._models),
                web.get("/hf/info", self._info),
                web.get("/api/version", self._version),
                web.get("/api/tags", self._tags),
                web.post("/api/show", self._show),
                web.get("/stats", self._stats),
                web.post("/reset", self._reset),
                web.post("/control", self._control),
            ]
        )
        return app

    def _handler(self, wire: Wire) -> Any:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.journal.arrived()
            entry: dict[str, Any] = {"wire": wire.name, "outcome": "abandoned", "started": time.time()}
            try:
                return await self._answered(wire, request, entry)
            except ConnectionError:  # the client left
                return web.Response(status=499)
            finally:
                self.journal.left(entry)

        return handle

    async def _answered(self, wire: Wire, request: web.Request, entry: dict[str, Any]) -> web.StreamResponse:
        arrived = asyncio.get_running_loop().time()
        try:
            body = orjson.loads(await request.read())
        except ValueError:
            return _problem(
                Problem(400, {"error": {"message": "We could not parse the JSON body of your request."}}), entry, "not_json"
            )
        key = wire.key(request.headers)
        if self.settings.key and wire.name != "ollama" and key != self.settings.key:
            return _problem(wire.problem("unauthorized", None, key or ""), entry, "wrong_key")
        llm_request = wire.read_request(body, request.match_info.get("model"))
        if isinstance(llm_request, Problem):
            return _problem(llm_request, entry, "invalid")
        attempt = self.journal.attempt(llm_request.identity)
        entry |= {"identity": llm_request.identity, "attempt": attempt, "model": llm_request.model}
        if refused := self._refused(wire, llm_request):
            return _problem(wire.problem(refused[0], llm_request, refused[1], self.settings.retry_after), entry, refused[2])
        fault = self._fault(llm_request, attempt)
        if fault not in _REFUSED_AT_ONCE:
            answer = self._choices(llm_request, fault) if fault not in REFUSED | {"hang", "reset"} else None
            await asyncio.sleep(arrived + self._latency(llm_request, attempt) - asyncio.get_running_loop().time())
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError
        if fault in REFUSED:
            return self._refusal(wire, llm_request, str(fault), entry)
        if fault in {"hang", "reset"}:
            return await self._broken(request, str(fault), entry)
        assert answer is not None
        return await self._sent(wire, request, llm_request, answer, fault, entry)

    def _refused(self, wire: Wire, llm_request: LlmRequest) -> tuple[str, str, str] | None:
        """(error, its detail, its name in the counts) of a request that no attempt would bring through."""
        if wire.name != "huggingface" and llm_request.model not in self.settings.models:
            return "not_found", "", "unknown_model"
        if wire.name != "ollama" and llm_request.prompt_tokens > self.settings.window:
            return "context", str(self.settings.window), "context"
        if llm_request.stream and wire.name != "ollama":
            return "stream", "", "stream"
        if self.settings.structured == "refuse" and (llm_request.schema or llm_request.json_mode):
            return "structured", "", "structured"
        return ("rate_limit", "", "too_fast") if self._too_fast() else None

    def _too_fast(self) -> bool:
        limit, now = self.settings.requests_per_minute, time.monotonic()
        if limit is None:
            return False
        while self.recent and self.recent[0] < now - 60:
            self.recent.popleft()
        if len(self.recent) >= limit:
            return True
        self.recent.append(now)
        return False

    def _fault(self, llm_request: LlmRequest, attempt: int) -> str | None:
        settings = self.settings
        if settings.outage:
            return settings.outage
        always = drawn(settings.stubborn, settings.seed, f"stubborn {llm_request.identity}", 0)
        if always or (settings.faulty_attempts is not None and attempt >= settings.faulty_attempts):
            return always
        return drawn(settings.faults, settings.seed, llm_request.identity, attempt)

    def _latency(self, llm_request: LlmRequest, attempt: int) -> float:
        mean, sigma = self.settings.latency, self.settings.sigma
        if not mean:
            return 0.0
        parts = (self.settings.seed, llm_request.identity, attempt)
        # Box and Muller: a normal draw from two uniform ones; 1 - u is never 0.
        normal = math.sqrt(-2 * math.log(1 - draw("radius", *parts))) * math.cos(2 * math.pi * draw("angle", *parts))
        return mean * math.exp(sigma * normal - sigma * sigma / 2)

    def _choices(self, llm_request: LlmRequest, fault: str | None) -> Choices:
        texts = []
        for choice in range(llm_request.choices):
            words = spoiled_words(fault, answer_request(llm_request, self.settings.answers, self.settings.seed, choice))
            text = REFUSAL if fault == "refusal" else in_form(llm_request, words, self.settings.structured == "obey")
            texts.append(spoiled_form(fault, text))
        finish = {"truncated": "length", "refusal": "refusal", "content_filter": "content_filter"}.get(fault or "", "stop")
        return _cut(llm_request, Choices(texts, finish))

    def _refusal(self, wire: Wire, llm_request: LlmRequest, fault: str, entry: dict[str, Any]) -> web.Response:
        if fault == "bad_gateway":
            page = (
                "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
            )
            return _problem(Problem(502, page), entry, fault)
        return _problem(wire.problem(fault, llm_request, self.settings.key, self.settings.retry_after), entry, fault)

    async def _broken(self, request: web.Request, fault: str, entry: dict[str, Any]) -> web.Response:
        assert request.transport is not None
        entry["outcome"] = fault
        if fault == "hang":
            ends = time.monotonic() + self.settings.hang_seconds
            while time.monotonic() < ends and request.transport is not None and not request.transport.is_closing():
                await asyncio.sleep(0.2)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    async def _sent(
        self,
        wire: Wire,
        request: web.Request,
        llm_request: LlmRequest,
        choices: Choices,
        fault: str | None,
        entry: dict[str, Any],
    ) -> web.StreamResponse:
        response: web.StreamResponse
        body = wire.answer(llm_request, choices)
        payload = orjson.dumps([body] if request.path in {"/hf", "/hf/"} else body)
        entry |= {"prompt_tokens": llm_request.prompt_tokens, "completion_tokens": choices.completion_tokens, "status": 200}
        entry["seconds"] = time.time() - entry["started"]
        if fault == "half_body":
            return await self._half(request, payload, entry)
        if llm_request.stream:
            response = await _streamed(request, llm_request, choices, body)
        else:
            response = web.Response(body=payload, content_type="application/json")
            await response.prepare(request)
        await response.write_eof()
        # Only now: what could not be written raised, and counts as abandoned.
        entry["outcome"] = fault or "ok"
        return response

    async def _half(self, request: web.Request, payload: bytes, entry: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(payload))})
        await response.prepare(request)
        await response.write(payload[: len(payload) // 2])
        await asyncio.sleep(0.01)
        entry["outcome"] = "half_body"
        if request.transport is not None:
            request.transport.close()
        return response

    async def _alive(self, _: web.Request) -> web.Response:
        return web.Response(text="Ollama is running")

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": "0.6.3"})

    async def _models(self, request: web.Request) -> web.Response:
        key = OpenAI().key(request.headers) or Anthropic().key(request.headers)
        if self.settings.key and key != self.settings.key:
            problem = (Mistral() if request.path.startswith("/mistral") else OpenAI()).problem("unauthorized", None, key or "")
            return web.json_response(problem.body, status=problem.status)
        rows = [{"id": name, "object": "model", "created": 1715367049, "owned_by": "loopback"} for name in self.settings.models]
        return web.json_response({"object": "list", "data": rows})

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response({"model_id": "tgi", "max_input_tokens": self.settings.window, "version": "3.0.0"})

    async def _tags(self, _: web.Request) -> web.Response:
        details = {"format": "gguf", "family": "llama", "parameter_size": "3.2B", "quantization_level": "Q4_K_M"}
        row = {"modified_at": "2025-01-01T00:00:00Z", "size": 2_019_393_189, "digest": "a80c4f17acd5", "details": details}
        return web.json_response({"models": [{"name": name, "model": name, **row} for name in self.settings.models]})

    async def _show(self, request: web.Request) -> web.Response:
        asked = await request.json()
        name = asked.get("model") or asked.get("name") or ""
        if name not in self.settings.models:
            return web.json_response({"error": f"model '{name}' not found"}, status=404)
        details = {
            "format": "gguf",
            "family": "llama",
            "families": ["llama"],
            "parameter_size": "3.2B",
            "quantization_level": "Q4_K_M",
        }
        facts = {"general.architecture": "llama", "llama.context_length": self.settings.window}
        shown = {"modelfile": "", "parameters": "", "template": "", "details": details, "model_info": facts}
        return web.json_response({**shown, "capabilities": ["completion"]})

    async def _stats(self, _: web.Request) -> web.Response:
        return web.json_response({**self.journal.stats(), **self.batches.counts})

    async def _reset(self, _: web.Request) -> web.Response:
        self.journal.reset()
        self.batches.forget()
        self.recent.clear()
        return web.json_response({})

    async def _control(self, request: web.Request) -> web.Response:
        changed = {**self.settings.model_dump(), **(await request.json())}
        self.settings = ServerSettings(**changed)
        return web.json_response({})


def _cut(llm_request: LlmRequest, choices: Choices) -> Choices:
    """What `max_tokens` leaves of an answer; a model that thinks spends tokens before the first word."""
    if not llm_request.max_tokens:
        return choices
    left = max(0, llm_request.max_tokens - (REASONING_TOKENS if reasons(llm_request.model) else 0)) * CHARACTERS_PER_TOKEN
    if all(len(text) <= left for text in choices.texts):
        return choices
    return Choices([text[:left] for text in choices.texts], "length")


async def _streamed(request: web.Request, llm_request: LlmRequest, choices: Choices, last: dict[str, Any]) -> web.StreamResponse:
    """Ollama's stream: a JSON line per piece, the counts in the last."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    text = choices.texts[0]
    shared = {"model": llm_request.model, "created_at": last["created_at"], "done": False}
    for start in range(0, len(text), 16):
        piece = text[start : start + 16]
        part = {"message": {"role": "assistant", "content": piece}} if "message" in last else {"response": piece}
        await response.write(orjson.dumps({**shared, **part}) + b"\n")
    empty = {"message": {"role": "assistant", "content": ""}} if "message" in last else {"response": ""}
    await response.write(orjson.dumps({**last, **empty}) + b"\n")
    return response


def _problem(problem: Problem, entry: dict[str, Any], outcome: str) -> web.Response:
    entry |= {"outcome": outcome, "status": problem.status}
    if isinstance(problem.body, str):
        return web.Response(text=problem.body, status=problem.status, content_type="text/html", headers=problem.headers)
    return web.json_response(problem.body, status=problem.status, headers=problem.headers)


async def serve(settings: ServerSettings, with_parent: bool = False) -> None:
    """Serves until a signal, or until standard input ends where the parent's life is the server's; prints its URL first."""
    server = _Server(settings)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", settings.port, backlog=4096)
    await site.start()
    print(site_url(runner), flush=True)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    if with_parent:
        os.set_blocking(sys.stdin.fileno(), False)
        loop.add_reader(sys.stdin.fileno(), lambda: ended.set() if not os.read(sys.stdin.fileno(), 1024) else None)
    await ended.wait()
    await runner.cleanup()


def site_url(runner: web.AppRunner) -> str:
    """Returns the URL that a started server listens at."""
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"


def _arguments() -> tuple[ServerSettings, bool]:
    """Every setting is an option; `--faults rate_limit=0.05 hang=0.01` for those that are kinds with shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", default="{}", help="all settings as JSON")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input ends")
    for name, known in ServerSettings.model_fields.items():
        several = get_origin(known.annotation) in {dict, tuple}
        default = known.get_default(call_default_factory=True)
        shown = "KIND=SHARE" if get_origin(known.annotation) is dict else name.upper()
        parser.add_argument(
            f"--{name.replace('_', '-')}", nargs="*" if several else None, metavar=shown, help=f"default {default!r}"
        )
    given = vars(parser.parse_args())
    settings, with_parent = json.loads(given.pop("settings")), given.pop("with_parent")
    for name, value in given.items():
        if value is not None:
            kinds = get_origin(ServerSettings.model_fields[name].annotation) is dict
            settings[name] = dict(one.split("=", 1) for one in value) if kinds else value
    return ServerSettings(**settings), with_parent


def main() -> None:
    """Serves as the command line says."""
    settings, with_parent = _arguments()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(settings, with_parent))


if __name__ == "__main__":
    main()
