"""Accounts for the people who annotate on the embedded server."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from finetrieve.annotation.client import Server, find_workspace
from finetrieve.annotation.connection import connect_embedded
from finetrieve.argilla_server.home import OWNER
from finetrieve.core.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def give_account(name: str, home: Path | None = None) -> tuple[str, str]:
    """Returns the server's address and a new password for an annotator, whose account is made if it is not there.

    The server is started if need be. An account that is there keeps its answers.

    Raises:
        InputError: The name is none for an account, or it is the owner's.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"'{name}' is no name for an account: expected letters, digits, dots, dashes and underscores.")
    if name == OWNER:
        raise InputError(f"'{name}' is the owner's account; `python run.py argilla url` prints its password.")
    password = secrets.token_urlsafe(9)
    with Server(connect_embedded(home)) as server:
        there = [user for user in server.items("/users") if user["username"] == name]
        if there:
            server.request("PATCH", f"/users/{there[0]['id']}", {"password": password})
        else:
            _make(server, name, password)
        return server.url, password


def _make(server: Server, name: str, password: str) -> None:
    account = {"username": name, "first_name": name, "role": "annotator", "password": password}
    made = server.request("POST", "/users", account)
    server.request("POST", f"/workspaces/{find_workspace(server)['id']}/users", {"user_id": made["id"]})
