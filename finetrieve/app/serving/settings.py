"""Who may ask the server, from where, and how much at a time."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field

from finetrieve.core.errors import InputError

KEY_VARIABLE = "FINETRIEVE_SERVE_KEY"
SHORTEST_KEY = 16
"""Characters: a shorter one can be guessed over the network."""
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Limits:
    """How much one request may ask for, and how many are answered at a time."""

    body_bytes: int = 1 << 20
    texts: int = 64
    """In a request to `/embed`."""
    text_characters: int = 20_000
    requests: int = 16
    """Answered or waiting at the same time, of all clients; one more is refused with 503."""
    requests_per_client: int = 8
    """Of one address; one more is refused with 429."""
    seconds: float = 30.0
    """For a body to arrive, and again for the answer."""


@dataclass(frozen=True)
class ServeSettings:
    """How the server listens."""

    host: str = LOOPBACK
    key: str | None = field(default=None, repr=False)
    """What a request has to bring; None lets everybody in who reaches the server."""
    limits: Limits = Limits()
    reload_seconds: float = 5.0
    """How often it looks for another version in production."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)


def serve_settings(host: str = LOOPBACK) -> ServeSettings:
    """Returns the settings for an address to listen on, with the key from the environment.

    Raises:
        InputError: The key is too short, or there is none and other machines would reach the server.
    """
    key = os.environ.get(KEY_VARIABLE, "").strip() or None
    if key is not None and (len(key) < SHORTEST_KEY or not key.isascii()):
        raise InputError(
            f"{KEY_VARIABLE} has {len(key)} characters; expected {SHORTEST_KEY} or more, of ASCII. "
            "One is made by: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    if key is None and not is_loopback(host):
        raise InputError(
            f"--host {host} lets other machines ask, so {KEY_VARIABLE} has to be set; or listen on {LOOPBACK}, the default."
        )
    return ServeSettings(host, key)


def is_loopback(host: str) -> bool:
    """Returns whether an address is this machine's own, which no other machine reaches."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
