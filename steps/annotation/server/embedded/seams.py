"""The places where Argilla's server is changed while it is loaded. Imports only argilla_server and what it brings.

- Search: `engine` registers itself under the name that the settings give.
- Jobs: both queues, the ping at start-up and the look-up of a job go to a thread of this process.
- Speed: the pydantic adapters that parse question and metadata settings are built once instead of for every value, and the
  webhook event of a record is not put together when no webhook is there to hear it.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import argilla_server._app as argilla_app
import argilla_server.api.handlers.v1.jobs as argilla_jobs
import argilla_server.models.database as argilla_models
from argilla_server import contexts
from argilla_server.contexts import webhooks
from argilla_server.jobs import queues
from argilla_server.webhooks.v1 import datasets, records, responses
from sqlalchemy.ext.asyncio import AsyncSession

from . import engine as engine  # registers the search engine
from .jobs import JobRunner


class _Silence:
    """The event that nobody hears."""

    async def notify(self, db: AsyncSession) -> list[Any]:  # noqa: ARG002  # Argilla's signature
        """Returns no jobs."""
        return []


def install() -> None:
    """Changes the server that is loaded in this process."""
    _run_jobs_here()
    argilla_models.TypeAdapter = functools.cache(argilla_models.TypeAdapter)
    for module, name in ((records, "build_record_event"), (responses, "build_response_event"), (datasets, "build_dataset_event")):
        _build_only_if_heard(module, name)


def _run_jobs_here() -> None:
    runner = JobRunner()
    for queue in (queues.DEFAULT_QUEUE, queues.HIGH_QUEUE):
        queue.enqueue_call = runner.enqueue_call
    argilla_app.configure_redis = lambda: None
    argilla_jobs.Job = runner


def _build_only_if_heard(module: ModuleType, name: str) -> None:
    build = getattr(module, name)

    @functools.wraps(build)
    async def build_if_heard(db: AsyncSession, event: Any, subject: Any) -> Any:
        return await build(db, event, subject) if await _heard(db) else _Silence()

    setattr(module, name, build_if_heard)
    for user in (contexts.datasets, contexts.records):
        if hasattr(user, f"{name}_v1"):
            setattr(user, f"{name}_v1", build_if_heard)


async def _heard(db: AsyncSession) -> bool:
    """Returns whether a webhook is switched on; asked once per session, which is once per request."""
    if "heard" not in db.info:
        db.info["heard"] = bool(await webhooks.list_enabled_webhooks(db))
    return bool(db.info["heard"])
