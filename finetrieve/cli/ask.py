"""`python run.py ask "how do I ..."`: the trained model and its base model answer beside each other."""

from __future__ import annotations

import contextlib
import shutil
import socket
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from finetrieve.cli.options import JSON, MODEL, print_json
from finetrieve.core.errors import InputError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from finetrieve.app.search import SearchComparison

_PORT = 8600


@click.command("ask")
@click.argument("words", metavar="[QUESTION]", nargs=-1)
@click.option(
    "--version", metavar="VERSION", help="NUMBER, NAME:NUMBER or NAME: (its production). Default: the one in production."
)
@MODEL
@click.option("-k", "k", type=click.IntRange(1, 50), default=5, show_default=True, help="Passages per model.")
@click.option("--pages", is_flag=True, help="Rank whole pages, as the evaluation does, each shown by its best passage.")
@click.option("--serve", is_flag=True, help="A page and a JSON API on this machine instead of the terminal.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Of the page; another one needs FINETRIEVE_SERVE_KEY.")
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="Of the page; 0 takes a free one.")
@click.option(
    "--index",
    "place",
    type=click.Path(),
    metavar="DIR|ENGINE:PATH",
    help="Ask what `index` wrote: a folder, lancedb:PATH, qdrant:PATH or pgvector:PATH.",
)
@click.option(
    "--by", "way", type=click.Choice(["dense", "late", "fused"]), help="With --index: by what. Default: as was evaluated."
)
@JSON
def command(
    words: tuple[str, ...],
    version: str | None,
    model: str | None,
    k: int,
    pages: bool,
    serve: bool,
    host: str,
    port: int,
    place: str | None,
    way: str | None,
    as_json: bool,
) -> None:
    """Ask the model in production and its base model, side by side, each by the best way of searching that evaluation found."""
    question = " ".join(words)
    if not serve and not question.strip():
        raise InputError('The question is empty. Ask one: python run.py ask "how do I ...?"')
    if place is not None:
        if serve or pages or version is not None or model is not None:
            raise InputError("--index says by itself what answers; leave out --serve, --pages, --version and --model.")
        _answer_from(place, question, k, way, as_json)
        return
    if way is not None:
        raise InputError("--by says by which vectors an index is searched; it needs --index.")
    if serve and as_json:
        raise InputError("--serve and --json do not go together: the page answers /search as JSON.")
    if serve and pages:
        raise InputError("--serve and --pages do not go together: the page shows passages, and /search takes pages=true.")
    if serve:
        _serve(version, model, k, host, port)
    else:
        _answer(question, version, model, k, pages, as_json)


def _answer(text: str, version: str | None, model: str | None, k: int, pages: bool, as_json: bool) -> None:
    from finetrieve.app.search import checked_question

    question = checked_question(text)
    from finetrieve.app.search import answers_as_json, load_comparison
    from finetrieve.app.search_page import format_terminal
    from finetrieve.core.progress import reporter

    comparison = load_comparison(version, reporter("Passages embedded"), model)
    if as_json:
        print_json(answers_as_json(comparison, question, k, pages=pages))
        return
    found = comparison.corpus.search(question, k, pages=pages)
    click.echo(format_terminal(comparison, question, found, shutil.get_terminal_size().columns, pages=pages))


def _answer_from(place: str, text: str, k: int, way: str | None, as_json: bool) -> None:
    """Answers from what `index` wrote, without ZenML."""
    from finetrieve.app.search import checked_question

    question = checked_question(text)
    from finetrieve.app.search_page import format_found
    from finetrieve.engines.vector_search import open_search

    search = open_search(place)
    try:
        chosen = search.way(way)
        found = search.search(question, k, chosen)
    finally:
        search.close()
    if as_json:
        hits = [{**asdict(hit), "document": hit.document} for hit in found]
        print_json({"question": question, "index": place, "name": search.name, "way": chosen, "hits": hits})
        return
    names = {"dense": "vectors", "late": "late interaction", "fused": search.fusion.description}
    heading = f"{search.name}, by {names[chosen]}, from {place}"
    click.echo(format_found(heading, question, found, shutil.get_terminal_size().columns))


def _serve(version: str | None, model: str | None, k: int, host: str, port: int) -> None:
    from finetrieve.app.serving.settings import serve_settings

    settings = serve_settings(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host.strip("[]"), port))
        except OSError as error:
            raise InputError(
                f"Port {port} of {host} cannot be used ({error.strerror}); give another --port, or 0 for a free one."
            ) from None
        from finetrieve.app.search import load_comparison, served_key
        from finetrieve.app.serving.api import create_app
        from finetrieve.app.serving.live import LiveComparison
        from finetrieve.core.progress import reporter

        key = served_key(version, model)
        first = warm(load_comparison(version, reporter("Passages embedded"), model))
        follows = version is None or version.endswith(":")  # a version that was named stays
        live = LiveComparison(
            first,
            key,
            partial(served_key, version, first.name) if follows else None,  # of this model, whatever others come
            lambda: warm(load_comparison(version, None, first.name)),
            settings.reload_seconds,
        )
        live.start()
        try:
            run_until_interrupted(create_app(live, k, settings), listener)
        finally:
            live.stop()


def warm(comparison: SearchComparison) -> SearchComparison:
    """Returns the comparison with its models loaded; else the first question waits for them, as vectors come from a cache."""
    comparison.corpus.search("how do I", 1)
    return comparison


def run_until_interrupted(app: FastAPI, listener: socket.socket) -> None:
    """Serves the page on a bound socket until Ctrl-C, after which nothing waits to be picked up."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False, timeout_keep_alive=5, lifespan="off"))
    listener.listen()  # whoever comes after the line below waits for the server instead of being turned away
    host, port = listener.getsockname()[:2]
    from finetrieve.app.serving.settings import is_loopback

    address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    reach = "this machine only" if is_loopback(host) else "with the key"
    click.echo(
        f"Ask at {address} ({reach}; Ctrl-C stops it)\nAs JSON: {address}search?q=how+do+I&k=5, described at {address}docs"
    )
    with contextlib.suppress(KeyboardInterrupt):  # which uvicorn raises once it has closed
        server.run(sockets=[listener])
    click.echo("The page is stopped.")
