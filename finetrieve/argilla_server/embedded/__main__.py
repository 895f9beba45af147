"""Starts the Argilla server on a home: `python -m embedded HOME PORT`. Imports only argilla_server and the standard library."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO

from .startup import StartError, check_database, defer_hub, explain, hold_open

HOST = "127.0.0.1"
_LOCK_SECONDS = 2.0


def main(speed: bool = True) -> int:
    """Returns the exit code: 0 after a clean shutdown, 2 when the server could not start, with a line that says why.

    Args:
        speed: False leaves out what only makes Argilla faster; a benchmark compares.
    """
    home, port = Path(sys.argv[1]), int(sys.argv[2])
    try:
        with _lock(home):
            serve(home, port, speed)
    except StartError as error:
        traceback.print_exc()
        print(f"FATAL: {error}", file=sys.stderr, flush=True)
        return 2
    return 0


def serve(home: Path, port: int, speed: bool) -> None:
    """Runs the server until it is told to stop.

    Raises:
        StartError: It cannot start.
    """
    # 1. What can be wrong with the machine, before anything slow is imported.
    listener = _listen(port)
    gc.disable()  # what is imported stays: looking through it again and again takes a fifth of the start
    try:
        account = json.loads((home / "account.json").read_text(encoding="utf-8"))
        _configure(home, account["auth_secret"])
        check_database(home / "argilla.db")
        # 2. The database: brought up to date, with its owner. 3. The server.
        run = _prepare(home, account, speed)
    except Exception as error:
        if line := explain(error, home / "argilla.db"):
            raise line from error
        raise
    instance = secrets.token_hex(8)
    gc.freeze()
    gc.enable()
    with hold_open(home / "argilla.db"):
        run(listener, instance, lambda: _write_running_file(home, port, instance))
    (home / "running.json").unlink(missing_ok=True)


def _prepare(home: Path, account: dict[str, str], speed: bool) -> Callable[[socket.socket, str, Callable[[], None]], None]:
    """Returns what serves. Argilla reads its settings while it is imported, so nothing of it is imported earlier."""
    defer_hub()
    from . import database

    database.prepare(home / "argilla.db")
    database.ensure_owner(account)
    from . import patches, service

    patches.apply_patches(speed)
    return service.run


def _configure(home: Path, auth_secret: str) -> None:
    """Sets what Argilla reads from the environment, and keeps its temporary files in the home.

    Argilla copies its web UI to a temporary folder at each start and never removes it.
    """
    scratch = home / "tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    tempfile.tempdir = str(scratch)
    for name in [name for name in os.environ if name.startswith(("ARGILLA_", "OAUTH2_"))]:
        del os.environ[name]
    os.environ.update(
        ARGILLA_HOME_PATH=str(home),
        ARGILLA_DATABASE_URL=f"sqlite+aiosqlite:///{home / 'argilla.db'}?check_same_thread=False",
        ARGILLA_DATABASE_SQLITE_TIMEOUT="30",
        ARGILLA_SEARCH_ENGINE="database",
        ARGILLA_AUTH_SECRET_KEY=auth_secret,
        ARGILLA_CORS_ORIGINS="[]",
        ARGILLA_ENABLE_SHARE_YOUR_PROGRESS="false",
        ARGILLA_SHOW_HUGGINGFACE_SPACE_PERSISTENT_STORAGE_WARNING="false",
        HF_HUB_OFFLINE="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        DO_NOT_TRACK="1",
    )


def _lock(home: Path) -> IO[str]:
    """Returns the home's lock file, held until the process ends.

    Raises:
        StartError: Another server holds it.
    """
    handle = (home / "server.lock").open("a+")
    end = time.monotonic() + _LOCK_SECONDS  # someone may be looking whether it is held
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            handle.truncate(0)
            print(os.getpid(), file=handle, flush=True)
            return handle
        except BlockingIOError:
            if time.monotonic() > end:
                raise StartError(f"another server already runs on {home}. `python run.py argilla status` shows it.") from None
            time.sleep(0.05)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()  # until somebody listens, others may bind the same port
    except OSError as error:
        raise StartError(f"cannot listen on {HOST}:{port}: {error.strerror}. Choose another port with --port.") from error
    return listener


def _write_running_file(home: Path, port: int, instance: str) -> None:
    """Writes that the server answers: the file is there whole or not at all."""
    draft = home / "running.json.new"
    draft.write_text(json.dumps({"port": port, "instance": instance}), encoding="utf-8")
    draft.replace(home / "running.json")


if __name__ == "__main__":
    sys.exit(main())
