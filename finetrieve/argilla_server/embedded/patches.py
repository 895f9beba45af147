"""Patches of Argilla's server, which is changed while it is loaded. Imports only argilla_server and what it brings.

- Search: `search_engine` registers itself under the name that the settings give.
- Errors: a full disk and a database that stays locked are said in one line with a status of their own, not as a fault of ours.
- Pages: they load nothing from elsewhere.
- Jobs: both queues, the ping at start-up and the look-up of a job go to a thread of this process.
- Speed: the pydantic adapters that parse question and metadata settings are built once instead of for every value; the
  webhook event of a record is not put together when no webhook is there to hear it; answers are not compressed on their way
  through this machine, nor timed; JSON is read and written by pydantic's own code; and what `bulk` does.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import argilla_server._app as argilla_app
import argilla_server.api.handlers.v1.jobs as argilla_jobs
import argilla_server.models.database as argilla_models
from argilla_server import contexts
from argilla_server.api.routes import api_v1
from argilla_server.contexts import webhooks
from argilla_server.jobs import queues
from argilla_server.webhooks.v1 import datasets, records, responses
from pydantic_core import from_json, to_json
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse

from . import bulk
from . import search_engine as search_engine  # registers the search engine
from .headers import ProtectPages
from .jobs import JobRunner


class _NoEvent:
    """The event that nobody hears."""

    async def notify(self, db: AsyncSession) -> list[Any]:  # noqa: ARG002  # Argilla's signature
        """Returns no jobs."""
        return []


def apply_patches(speed: bool = True) -> None:
    """Changes the server that is loaded in this process.

    Args:
        speed: Also do what only makes it faster; a benchmark leaves it out.
    """
    _run_jobs_here()
    [static] = [route.app for route in argilla_app.app.routes if route.name == "static"]
    argilla_app.app.add_middleware(ProtectPages, pages=Path(static.directory))
    api_v1.add_exception_handler(OperationalError, _database_failure)
    if speed:
        _speed_up()


async def _database_failure(_request: Request, error: Exception) -> JSONResponse:
    """Returns the answer to a request that the database could not carry out; nothing of it is stored.

    Raises:
        Exception: What is neither a full disk nor a lock.
    """
    words = str(error)
    if "disk is full" in words:
        return JSONResponse({"detail": "The disk of the Argilla server is full. Free some space and try again."}, 507)
    if "database is locked" in words:
        return JSONResponse({"detail": "The Argilla server is busy. Try again."}, 503, {"Retry-After": "1"})
    raise error


def _speed_up() -> None:
    bulk.apply_patches()
    argilla_models.TypeAdapter = functools.cache(argilla_models.TypeAdapter)
    for module, name in ((records, "build_record_event"), (responses, "build_response_event"), (datasets, "build_dataset_event")):
        _build_only_with_webhook(module, name)
    app, dropped = argilla_app.app, (argilla_app.BrotliMiddleware, BaseHTTPMiddleware)
    app.user_middleware = [layer for layer in app.user_middleware if layer.cls not in dropped]
    Request.json = _read_json  # type: ignore[method-assign, assignment]
    JSONResponse.render = _write_json  # type: ignore[method-assign, assignment]


def _write_json(_self: JSONResponse, content: Any) -> bytes:
    return to_json(content, inf_nan_mode="null")


async def _read_json(self: Request) -> Any:
    """Returns the body of a request.

    Raises:
        json.JSONDecodeError: It is no JSON.
    """
    body = await self.body()
    try:
        return from_json(body)
    except ValueError as error:
        raise json.JSONDecodeError(str(error), body.decode(errors="replace"), 0) from error


def _run_jobs_here() -> None:
    runner = JobRunner()
    for queue in (queues.DEFAULT_QUEUE, queues.HIGH_QUEUE):
        queue.enqueue_call = runner.enqueue_call
    argilla_app.configure_redis = lambda: None
    argilla_jobs.Job = runner


def _build_only_with_webhook(module: ModuleType, name: str) -> None:
    build = getattr(module, name)

    @functools.wraps(build)
    async def build_with_webhook(db: AsyncSession, event: Any, subject: Any) -> Any:
        return await build(db, event, subject) if await _has_webhook(db) else _NoEvent()

    setattr(module, name, build_with_webhook)
    for user in (contexts.datasets, contexts.records):
        if hasattr(user, f"{name}_v1"):
            setattr(user, f"{name}_v1", build_with_webhook)


async def _has_webhook(db: AsyncSession) -> bool:
    """Returns whether a webhook is switched on; asked once per session, which is once per request."""
    if "webhook" not in db.info:
        db.info["webhook"] = bool(await webhooks.list_enabled_webhooks(db))
    return bool(db.info["webhook"])
