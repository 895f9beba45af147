"""Which Argilla a run talks to, and with what key. Light: nothing of Argilla is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from finetrieve.annotation.settings import AnnotationSettings
from finetrieve.core.errors import InputError
from finetrieve.core.zenml_secrets import secret_values

URL_VARIABLES = ("ARGILLA_API_URL", "ARGILLA_URL")


@dataclass(frozen=True)
class Connection:
    """Where an Argilla server is and how to sign in to it.

    Attributes:
        url: The server's address, without a slash at the end.
        api_key: The key of the account that pushes and pulls; not shown by `repr`.
        workspace: The workspace in which the datasets lie; None is the only one that the key may see.
        embedded: Whether it is the server that Finetrieve starts by itself.
    """

    url: str
    api_key: str = field(repr=False)
    workspace: str | None
    embedded: bool


def resolve(settings: AnnotationSettings, home: Path | None = None) -> Connection:
    """Returns the server that the configuration names, or else the environment, or else the embedded one, started.

    Args:
        settings: What the configuration says.
        home: The folder of the embedded server. Default: the user's.

    Raises:
        InputError: The address is no address, its key is missing, or the embedded server cannot be started.
    """
    named = named_server(settings)
    if named is not None:
        return named
    from finetrieve.argilla_server import ensure_server

    found = ensure_server(home)
    return Connection(found.url, found.api_key, settings.workspace or found.workspace, embedded=True)


def named_server(settings: AnnotationSettings) -> Connection | None:
    """Returns the server that the configuration, its ZenML secret or the environment names; None where the embedded one is meant.

    Raises:
        InputError: The address is no address, or its key is missing.
    """
    secret = secret_values(settings.secret, "--api_key=...") if settings.secret else {}
    url = settings.url or secret.get("api_url") or url_of_environment()
    return Connection(_checked(url), _key(settings, secret), settings.workspace, embedded=False) if url is not None else None


def url_of_environment() -> str | None:
    """Returns the address in ARGILLA_API_URL or ARGILLA_URL, or None."""
    return next((value for name in URL_VARIABLES if (value := os.environ.get(name))), None)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket that is not closed
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"The Argilla address '{url}' is no web address. Expected one such as https://argilla.example.com.")
    if parts.password:
        raise InputError("The Argilla address holds a password. Take it out, and give the API key in ARGILLA_API_KEY.")
    return url.rstrip("/")


def _key(settings: AnnotationSettings, secret: Mapping[str, str]) -> str:
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
