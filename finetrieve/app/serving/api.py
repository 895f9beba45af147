"""The search page and the JSON API as an ASGI application."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from finetrieve.app.search import BASE, TRAINED, SearchComparison, answers_as_json, checked_count, checked_question
from finetrieve.app.search_page import render_page
from finetrieve.app.serving.guard import Guard
from finetrieve.app.serving.live import LiveComparison
from finetrieve.app.serving.messages import (
    EmbedAnswer,
    EmbedRequest,
    ErrorAnswer,
    Health,
    SearchAnswer,
    SearchRequest,
    ServedVersion,
    mistake_in_body,
)
from finetrieve.app.serving.openapi_page import render_openapi
from finetrieve.app.serving.settings import Limits, ServeSettings
from finetrieve.core.errors import InputError
from finetrieve.retrieval.encoder import unit_rows
from finetrieve.retrieval.late_interaction import TokenVectors
from finetrieve.retrieval.search import Searcher
from finetrieve.retrieval.vector_cache import CachedEmbedder

_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"}
_WRONG: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "The request is wrong; the line says how."},
    401: {"model": ErrorAnswer, "description": "The key is missing or wrong."},
    413: {"model": ErrorAnswer, "description": "The body is too large."},
    429: {"model": ErrorAnswer, "description": "Too many requests of one client at a time."},
    503: {"model": ErrorAnswer, "description": "Too many requests at a time."},
    504: {"model": ErrorAnswer, "description": "It took too long."},
}


def create_app(served: LiveComparison | SearchComparison, k: int, settings: ServeSettings | None = None) -> FastAPI:
    """Returns the application: `/` for people, `/search` and `/embed` for programs, `/docs` and `/openapi.json` about both.

    Args:
        served: What answers.
        k: Passages of each side on the page, and where a program does not say.
        settings: Key and limits; on a loopback address it answers to this machine's own names only.
    """
    settings = settings or ServeSettings()
    live = served if isinstance(served, LiveComparison) else LiveComparison(served)
    app = FastAPI(
        title="Finetrieve", docs_url=None, redoc_url=None, description="Search in documents by a model trained for them."
    )
    app.add_middleware(Guard, settings=settings)
    if settings.is_local:  # a page of another site cannot ask by a name of its own that leads here
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(InputError)(_refused)
    app.exception_handler(HTTPException)(_unanswered)
    _add_page(app, live, k)
    _add_search(app, live, k)
    _add_embed(app, live, settings.limits)
    _add_facts(app, live, settings)
    return app


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """Answers a body of another form with the place and the reason, without what was sent."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return JSONResponse({"error": mistake_in_body(first, SearchRequest if request.url.path == "/search" else EmbedRequest)}, 400)


async def _unanswered(request: Request, error: Exception) -> JSONResponse:
    """Answers what no path or method of ours is for."""
    assert isinstance(error, HTTPException)
    said = {
        404: f"There is nothing at '{request.url.path[:100]}'; /docs says what there is.",
        405: f"{request.method} is not answered at '{request.url.path[:100]}'; expected {(error.headers or {}).get('Allow')}.",
        400: "The body is not JSON.",
    }
    return JSONResponse({"error": said.get(error.status_code, error.detail)}, error.status_code, error.headers)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 400)


# 1. The page.


def _add_page(app: FastAPI, live: LiveComparison, k: int) -> None:
    @app.get("/", include_in_schema=False)
    def page(q: str = "") -> HTMLResponse:
        comparison = live.current
        if not q.strip():
            return HTMLResponse(render_page(comparison, "", None), headers=_POLICY)
        try:
            question = checked_question(q)
        except InputError as error:
            return HTMLResponse(render_page(comparison, q, None, str(error)), 400, headers=_POLICY)
        with live.lock:
            answers = comparison.corpus.search(question, k)
        return HTMLResponse(render_page(comparison, question, answers), headers=_POLICY)


# 2. For programs.


def _add_search(app: FastAPI, live: LiveComparison, k: int) -> None:
    number = str(k)

    def found(question: str, count: int, pages: bool) -> JSONResponse:
        comparison = live.current
        with live.lock:
            return JSONResponse(answers_as_json(comparison, question, count, pages=pages))

    @app.get("/search", response_model=SearchAnswer, responses=_WRONG, summary="Search by a question in the address")
    def search(
        q: Annotated[str, Query(description="The question.")] = "",
        k: Annotated[str, Query(description="How many passages each side finds, a whole number.")] = number,
        pages: Annotated[bool, Query(description="Rank whole pages, each shown by its best passage.")] = False,
    ) -> JSONResponse:
        return found(checked_question(q, "q"), checked_count(k), pages)

    @app.post("/search", response_model=SearchAnswer, responses=_WRONG, summary="Search")
    def search_by_body(body: SearchRequest) -> JSONResponse:
        return found(checked_question(body.q, "q"), body.k, body.pages)


def _add_embed(app: FastAPI, live: LiveComparison, limits: Limits) -> None:
    @app.post(
        "/embed",
        response_model=EmbedAnswer,
        response_model_exclude_none=True,
        responses=_WRONG,
        summary=f"Vectors of at most {limits.texts} texts",
    )
    def embed(body: EmbedRequest) -> JSONResponse:
        _check_texts(body.texts, limits)
        comparison = live.current
        searcher = comparison.corpus.searchers[comparison.answers]
        with live.lock:
            vectors = _vectors(body, searcher)
        return JSONResponse({"model": comparison.names[comparison.answers], **vectors})


def _check_texts(texts: Sequence[str], limits: Limits) -> None:
    if len(texts) > limits.texts:
        raise InputError(f"{len(texts):,} texts were sent; at most {limits.texts} are embedded at a time.")
    for number, text in enumerate(texts):
        if len(text) > limits.text_characters:
            raise InputError(f"texts.{number} has {len(text):,} characters; at most {limits.text_characters:,} are read.")
        if not text.strip():
            raise InputError(f"texts.{number} is empty.")


def _vectors(body: EmbedRequest, searcher: Searcher) -> dict[str, Any]:
    """Returns the vectors that a body asks for; nothing of them is kept."""
    embedder, idf = searcher.index.embedder, searcher.index.idf
    assert isinstance(embedder, CachedEmbedder)
    if "late" in body.vectors and not embedder.has_tokens:
        raise InputError("This model has no token vectors; ask for dense ones.")
    dense, tokens = embedder.encoded(body.texts, body.role, with_tokens="late" in body.vectors)
    _check_dimensions(body.dimensions, dense.shape[1])
    found: dict[str, Any] = {}
    if "dense" in body.vectors:
        found["dense"] = unit_rows(np.ascontiguousarray(dense[:, : body.dimensions])).tolist()
    if tokens is not None:
        _check_dimensions(body.dimensions, tokens.vectors.shape[1])
        found["late"] = _by_text(tokens, np.asarray(tokens.cut(body.dimensions or tokens.vectors.shape[1]).vectors, np.float32))
        if body.role == "query" and idf is not None:
            found["weights"] = _by_text(tokens, idf.weights(tokens.ids))
    return found


def _check_dimensions(wanted: int | None, there: int) -> None:
    if wanted is not None and wanted > there:
        raise InputError(f"dimensions is {wanted}; this model's vectors have {there} numbers.")


def _by_text(tokens: TokenVectors, values: np.ndarray[Any, Any]) -> list[Any]:
    return [part.tolist() for part in np.split(values, tokens.starts[1:-1])]


# 3. About itself.


def _add_facts(app: FastAPI, live: LiveComparison, settings: ServeSettings) -> None:
    @app.get("/health", summary="Whether it answers; needs no key")
    def health() -> Health:
        return Health()

    @app.get("/version", responses={401: _WRONG[401]}, summary="Which version answers")
    def version() -> ServedVersion:
        now = live.current
        return ServedVersion(
            model=now.name,
            version=now.names[TRAINED],
            base=now.names[BASE],
            answers="base" if now.answers == BASE else "trained",
            passages=len(now.corpus),
            measured=now.measured,
        )

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(render_openapi(app.openapi(), needs_key=settings.key is not None), headers=_POLICY)

    make = app.openapi

    def openapi() -> dict[str, Any]:
        document = make()
        document.get("components", {}).get("schemas", {}).pop("HTTPValidationError", None)
        document.get("components", {}).get("schemas", {}).pop("ValidationError", None)
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)  # a body of another form is answered with 400
        if settings.key is not None:
            document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"key": []}]
            document["paths"]["/health"]["get"]["security"] = []
        return document

    app.openapi = openapi  # type: ignore[method-assign]
