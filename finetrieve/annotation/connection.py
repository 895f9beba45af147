"""Which Argilla server a run uses, and with what API key: the configuration's, the environment's, or the embedded one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from finetrieve.annotation.client import Connection, Server
from finetrieve.annotation.settings import AnnotationSettings
from finetrieve.core.errors import InputError
from finetrieve.core.zenml_secrets import secret_values

URL_VARIABLES = ("ARGILLA_API_URL", "ARGILLA_URL")


def open_server(settings: AnnotationSettings) -> Server:
    """Returns the server of a configuration, found to answer and to know the key; the embedded one is started if need be.

    Raises:
        InputError: There is none there, it is no Argilla 2, or it refuses the key.
    """
    connection = resolve(settings)
    # Only our own server is started again by us.
    reconnect = (lambda: resolve(settings)) if connection.embedded else None
    return Server(connection, settings.retry_seconds, reconnect)


def resolve(settings: AnnotationSettings, home: Path | None = None) -> Connection:
    """Returns the server that the configuration names, or else the environment, or else the embedded one, started.

    Args:
        settings: What the configuration says.
        home: The folder of the embedded server. Default: the user's.

    Raises:
        InputError: The address is no address, its key is missing, or the embedded server cannot be started.
    """
    return named_server(settings) or connect_embedded(home, settings.workspace)


def connect_embedded(home: Path | None = None, workspace: str | None = None) -> Connection:
    """Returns the connection to the embedded server, which is started if need be; by default to its own workspace.

    Raises:
        InputError: It cannot be installed or started.
    """
    from finetrieve.argilla_server import ensure_server

    found = ensure_server(home)
    return Connection(found.url, found.api_key, workspace or found.workspace, embedded=True)


def named_server(settings: AnnotationSettings) -> Connection | None:
    """Returns the server that the configuration, its ZenML secret or the environment names; None where the embedded one is meant.

    Raises:
        InputError: The address is no address, or its key is missing.
    """
    secret = secret_values(settings.secret, "--api_key=...") if settings.secret else {}
    url = settings.url or secret.get("api_url") or url_of_environment()
    if url is None:
        return None
    return Connection(_check_url(url), _read_key(settings, secret), settings.workspace, embedded=False)


def url_of_environment() -> str | None:
    """Returns the address in ARGILLA_API_URL, or None; ARGILLA_URL, an older name, works too."""
    return next((value for name in URL_VARIABLES if (value := os.environ.get(name))), None)


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket that is not closed
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"The Argilla address '{url}' is no web address. Expected one such as https://argilla.example.com.")
    if parts.password:
        raise InputError("The Argilla address holds a password. Take it out, and give the API key in ARGILLA_API_KEY.")
    return url.rstrip("/")


def _read_key(settings: AnnotationSettings, secret: Mapping[str, str]) -> str:
    key = secret.get("api_key") if settings.secret else os.environ.get(settings.api_key_env)
    if key:
        return key
    if settings.secret:
        raise InputError(
            f"The ZenML secret '{settings.secret}' has no `api_key`. It has: {', '.join(sorted(secret)) or 'nothing'}."
        )
    raise InputError(
        f"No API key for Argilla: the environment variable {settings.api_key_env} is empty. Set it, or name a ZenML secret that "
        "has an `api_key` in annotation.secret."
    )
