"""Argilla's background jobs in this process: a thread with an event loop of its own instead of Redis and workers.

Jobs that a stop or a crash cuts off need no journal: the one that matters brings record statuses in line with the
responses, which `database.prepare` does at each start. Imports only argilla_server and what it brings.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from rq.exceptions import NoSuchJobError
from rq.job import JobStatus, Retry

_LOGGER = logging.getLogger(__name__)
_REMEMBERED = 1000


class InProcessJob:
    """A job as Argilla's API looks at it."""

    def __init__(self) -> None:
        self.id = str(uuid4())
        self.status = JobStatus.QUEUED

    def get_status(self, refresh: bool = True) -> JobStatus:  # noqa: ARG002  # rq's signature
        """Returns how far it is."""
        return self.status


class JobRunner:
    """Runs jobs one after the other in a thread with its own event loop; failures are tried again as the job says."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._jobs: OrderedDict[str, InProcessJob] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()
        threading.Thread(target=self._loop.run_forever, name="jobs", daemon=True).start()

    def enqueue_call(
        self, func: Callable[..., Any], args: Any = (), kwargs: Any = None, retry: Retry | None = None, **_rq: Any
    ) -> InProcessJob:
        """Returns the job, which runs as soon as those before it are done. The signature is that of `rq.Queue`."""
        job = InProcessJob()
        self._jobs[job.id] = job
        while len(self._jobs) > _REMEMBERED:
            self._jobs.popitem(last=False)
        asyncio.run_coroutine_threadsafe(self._run(job, func, tuple(args or ()), dict(kwargs or {}), retry), self._loop)
        return job

    def fetch(self, job_id: str, connection: Any = None) -> InProcessJob:  # noqa: ARG002  # rq's signature
        """Returns a job by its id.

        Raises:
            NoSuchJobError: There is none, or it was long ago.
        """
        if job_id not in self._jobs:
            raise NoSuchJobError(f"No such job: {job_id}")
        return self._jobs[job_id]

    async def _run(
        self, job: InProcessJob, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], retry: Retry | None
    ) -> None:
        waits = _waits(retry)
        for attempt in range(len(waits) + 1):
            try:
                async with self._one_at_a_time:
                    job.status = JobStatus.STARTED
                    await _call(func, args, kwargs)
                job.status = JobStatus.FINISHED
                return
            except Exception:
                _LOGGER.exception("job %s failed, attempt %d", getattr(func, "__name__", func), attempt + 1)
                if attempt < len(waits):
                    job.status = JobStatus.SCHEDULED
                    await asyncio.sleep(waits[attempt])
        job.status = JobStatus.FAILED


async def _call(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if inspect.iscoroutinefunction(func):
        await func(*args, **kwargs)
    else:
        await asyncio.to_thread(func, *args, **kwargs)


def _waits(retry: Retry | None) -> list[float]:
    """Returns the seconds to wait before each further attempt; rq repeats the last interval."""
    if retry is None:
        return []
    intervals = [float(seconds) for seconds in retry.intervals] or [1.0]
    return [intervals[min(number, len(intervals) - 1)] for number in range(retry.max)]
