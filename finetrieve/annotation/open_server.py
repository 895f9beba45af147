"""An Argilla server, found and checked: the one that a configuration names, or the embedded one, started if need be."""

from __future__ import annotations

from typing import Any

from finetrieve.annotation.client import Server
from finetrieve.annotation.connection import resolve
from finetrieve.annotation.settings import AnnotationSettings


def open_server(settings: AnnotationSettings) -> Server:
    """Returns a server that answers and knows the key.

    Raises:
        InputError: There is none there, it is no Argilla 2, or it refuses the key.
    """
    connection = resolve(settings)
    # Only our own server is started again by us.
    reconnect = (lambda: resolve(settings)) if connection.embedded else None
    return Server(connection, settings.retry_seconds, reconnect)


def dataset_url(server: Server, dataset: dict[str, Any]) -> str:
    """Returns the page where people review a dataset, what needs them most first: by itself Argilla shuffles for each of them."""
    return f"{server.url}/dataset/{dataset['id']}/annotation-mode?page=1&status=pending&sort=metadata.usefulness.desc"
