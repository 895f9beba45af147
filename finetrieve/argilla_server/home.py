"""The folder of an embedded Argilla server: its database, its log and what is needed to sign in."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from finetrieve.core.errors import InputError

OWNER = "finetrieve"
WORKSPACE = "finetrieve"
_UNUSABLE = "%?#"
"""Signs with a meaning of their own in the address of a database."""


@dataclass(frozen=True)
class Secrets:
    """What only the owner of the folder may read.

    Attributes:
        username: The owner account's name.
        password: Its password in the web UI.
        api_key: Its key for programs.
        workspace: The workspace that is made with the account.
        auth_secret: What the server signs its session tokens with; kept, so that people stay signed in over a restart.
    """

    username: str
    password: str = field(repr=False)
    api_key: str = field(repr=False)
    workspace: str
    auth_secret: str = field(repr=False)


@dataclass(frozen=True)
class Running:
    """What a server writes when it answers.

    Attributes:
        port: Where it listens.
        instance: What it calls itself in its answers.
    """

    port: int
    instance: str


@dataclass(frozen=True)
class Home:
    """The files in the folder of an embedded server."""

    path: Path

    @property
    def secrets_file(self) -> Path:
        """Returns the file with the account and its key, mode 0600."""
        return self.path / "account.json"

    @property
    def running_file(self) -> Path:
        """Returns the file that a server writes when it answers."""
        return self.path / "running.json"

    @property
    def lock_file(self) -> Path:
        """Returns the file that a running server holds a lock on, with its process number."""
        return self.path / "server.lock"

    @property
    def log_file(self) -> Path:
        """Returns the server's log."""
        return self.path / "server.log"

    @property
    def port_file(self) -> Path:
        """Returns the file with the port of the last start."""
        return self.path / "port"

    def read_running(self) -> Running | None:
        """Returns where the server that says it runs listens, or None when there is none or the file is damaged."""
        try:
            found = json.loads(self.running_file.read_text(encoding="utf-8"))
            return Running(int(found["port"]), str(found["instance"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def last_port(self) -> int | None:
        """Returns the port of the last start, or None."""
        try:
            port = int(self.port_file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return port if 0 < port < 65536 else None

    def holder(self) -> int | None:
        """Returns the process of the server that is alive on this folder, or None."""
        try:
            return int(self.lock_file.read_text(encoding="ascii")) if self.held() else None
        except (OSError, ValueError):
            return None

    def held(self) -> bool:
        """Returns whether a server process is alive on this folder, ready or not."""
        try:
            with self.lock_file.open("rb") as handle:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Holds the folder for one caller that starts or stops the server; others wait."""
        with (self.path / "start.lock").open("ab") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def default_home() -> Path:
    """Returns the folder of the embedded server when none is given: `FINETRIEVE_ARGILLA_HOME`, or in the user's data folder."""
    if named := os.environ.get("FINETRIEVE_ARGILLA_HOME"):
        return Path(named).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "finetrieve" / "argilla"


def open_home(path: Path | None) -> Home:
    """Returns the home, made with mode 0700 if it is not there.

    Raises:
        InputError: The folder cannot be made or written, or its name cannot stand in a database address.
    """
    home = Home((path or default_home()).expanduser().resolve())
    if set(_UNUSABLE) & set(str(home.path)):
        raise InputError(f"Cannot use {home.path} for the Argilla server: its database cannot lie in a path with {_UNUSABLE}.")
    try:
        home.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open_private(home.path / "start.lock", "ab"):
            pass
    except OSError as error:
        raise InputError(
            f"Cannot use {home.path} for the Argilla server: {error.strerror}. Name another folder with FINETRIEVE_ARGILLA_HOME."
        ) from error
    return home


def open_private(path: Path, mode: str) -> IO[Any]:
    """Returns an opened file that only the user can read from the moment it exists."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))  # Path.open has no opener


def read_secrets(home: Home) -> Secrets:
    """Returns the account of the home, generated on first use.

    Raises:
        InputError: The file is there and damaged.
    """
    if not home.secrets_file.exists():
        _write_secrets(home)
    try:
        return Secrets(**json.loads(home.secrets_file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{home.secrets_file} is damaged ({type(error).__name__}). Delete that file and start again: "
            "a new password and API key are made, and every annotation is kept."
        ) from error


def _write_secrets(home: Home) -> None:
    made = Secrets(OWNER, secrets.token_urlsafe(12), secrets.token_urlsafe(32), WORKSPACE, secrets.token_hex(32))
    draft = home.secrets_file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open_private(draft, "w") as handle:
        json.dump(asdict(made), handle, indent=2)
    draft.replace(home.secrets_file)
