"""The web server: Argilla's app on one worker. Imports only argilla_server and what it brings."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable

import uvicorn
from argilla_server import app

from .search_engine import DatabaseSearchEngine

INSTANCE_HEADER = "x-finetrieve-instance"
_GRACE_SECONDS = 5
_WARM_SECONDS = 5


class _Server(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to listen, reads the vectors for some seconds at most, then says so."""
        await super().startup(sockets=sockets)
        self._warming = asyncio.create_task(DatabaseSearchEngine().warm())
        await asyncio.wait({self._warming}, timeout=_WARM_SECONDS)
        if self.started:
            self._ready()


def run(listener: socket.socket, instance: str, ready: Callable[[], None]) -> None:
    """Serves until SIGTERM or SIGINT; requests that are under way are finished.

    Args:
        listener: Where it listens.
        instance: A name for this process that goes out with every answer: a port says little about who answers there.
        ready: Called when it answers.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again when it is done, which would end the process before it has cleaned up.
        signal.signal(number, lambda *_: None)
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=_GRACE_SECONDS,
        headers=[(INSTANCE_HEADER, instance)],
    )
    _Server(config, ready).run(sockets=[listener])
