"""`python run.py ask "how do I ..."`: the trained model and its base model answer beside each other."""

from __future__ import annotations

import contextlib
import shutil
import socket
from typing import TYPE_CHECKING

import click

from finetrieve.cli.options import JSON, MODEL, print_json
from finetrieve.core.errors import InputError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from finetrieve.app.search import SearchComparison

_PORT = 8600


@click.command("ask")
@click.argument("question", required=False)
@click.option(
    "--version", metavar="VERSION", help="NUMBER, NAME:NUMBER or NAME: (its production). Default: the one in production."
)
@MODEL
@click.option("-k", "k", type=click.IntRange(1, 50), default=5, show_default=True, help="Passages per model.")
@click.option("--serve", is_flag=True, help="A page on 127.0.0.1 instead of the terminal.")
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="Of the page; 0 takes a free one.")
@JSON
def command(question: str | None, version: str | None, model: str | None, k: int, serve: bool, port: int, as_json: bool) -> None:
    """Ask the model in production and its base model, side by side, each by the best way of searching that evaluation found."""
    if serve and as_json:
        raise InputError("--serve and --json do not go together: the page answers /search as JSON.")
    if serve:
        _serve(version, model, k, port)
    else:
        _answer(question or "", version, model, k, as_json)


def _answer(text: str, version: str | None, model: str | None, k: int, as_json: bool) -> None:
    from finetrieve.app.search import checked_question

    question = checked_question(text)
    from finetrieve.app.search import answers_as_json, load_comparison
    from finetrieve.app.search_page import format_terminal
    from finetrieve.core.progress import reporter

    comparison = load_comparison(version, reporter("Passages embedded"), model)
    if as_json:
        print_json(answers_as_json(comparison, question, k))
        return
    click.echo(format_terminal(comparison, question, comparison.corpus.search(question, k), shutil.get_terminal_size().columns))


def _serve(version: str | None, model: str | None, k: int, port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(
                f"Port {port} cannot be used ({error.strerror}); give another --port, or 0 for a free one."
            ) from None
        from finetrieve.app.search import load_comparison
        from finetrieve.core.progress import reporter

        comparison = load_comparison(version, reporter("Passages embedded"), model)
        run_until_interrupted(create_app(comparison, k), listener)


def run_until_interrupted(app: FastAPI, listener: socket.socket) -> None:
    """Serves the page on a bound socket until Ctrl-C, after which nothing waits to be picked up."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    listener.listen()  # whoever comes after the line below waits for the server instead of being turned away
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    click.echo(f"Ask at {address} (this machine only; Ctrl-C stops it)\nAs JSON: {address}search?q=how+do+I&k=5")
    with contextlib.suppress(KeyboardInterrupt):  # which uvicorn raises once it has closed
        server.run(sockets=[listener])
    click.echo("The page is stopped.")


def create_app(comparison: SearchComparison, k: int) -> FastAPI:
    """Returns the page as an app, `GET /?q=...`, and as JSON, `GET /search?q=...&k=5`; for this machine's own names only."""
    from fastapi import FastAPI
    from fastapi.responses import HTMLResponse, JSONResponse
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from finetrieve.app.search import answers_as_json, checked_count, checked_question
    from finetrieve.app.search_page import render_page

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"}

    @app.get("/")
    def page(q: str = "") -> HTMLResponse:
        if not q.strip():
            return HTMLResponse(render_page(comparison, "", None), headers=policy)
        try:
            question = checked_question(q)
        except InputError as error:
            return HTMLResponse(render_page(comparison, q, None, str(error)), 400, headers=policy)
        return HTMLResponse(render_page(comparison, question, comparison.corpus.search(question, k)), headers=policy)

    number = str(k)

    @app.get("/search")
    def found(q: str = "", k: str = number) -> JSONResponse:
        try:
            return JSONResponse(answers_as_json(comparison, checked_question(q), checked_count(k)))
        except InputError as error:
            return JSONResponse({"error": str(error)}, 400)

    return app
