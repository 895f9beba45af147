"""Starts, finds and stops the embedded Argilla server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from steps.annotation.connection import Connection
from steps.annotation.server.environment import ensure_environment
from steps.annotation.server.home import Home, Secrets, open_home, private, read_secrets
from steps.errors import InputError
from steps.progress import say

HOST = "127.0.0.1"
FIRST_PORT = 6900
_START_SECONDS = 180.0
_STOP_SECONDS = 20.0
_FATAL = "FATAL: "


@dataclass(frozen=True)
class ServerStatus:
    """Whether an embedded server runs on a home.

    Attributes:
        home: Its folder.
        running: Whether it answers.
        url: Its address while it runs.
        pid: Its process while it runs.
        version: What it says its version is.
        memory: Resident bytes of its process.
    """

    home: Path
    running: bool
    url: str | None = None
    pid: int | None = None
    version: str | None = None
    memory: int | None = None


def ensure_server(home: Path | None = None, port: int | None = None) -> Connection:
    """Returns the connection of the embedded server, which is started if it does not run.

    Any number of callers at once start one server. Making the environment takes a minute the first time.

    Args:
        home: The folder of its data. Default: `FINETRIEVE_ARGILLA_HOME`, or in the user's data folder.
        port: Where to listen when it has to be started. Default: where it was last, or 6900, or any that is free.

    Raises:
        InputError: It cannot be installed or started, and what to do.
    """
    place = open_home(home)
    found = _running_url(place)
    if found is None:
        with place.starting():
            found = _running_url(place) or _start(place, port)
    account = read_secrets(place)
    return Connection(url=found, api_key=account.api_key, workspace=account.workspace, embedded=True)


def stop_server(home: Path | None = None) -> bool:
    """Returns whether a server was running; it is stopped, its data kept."""
    place = open_home(home)
    with place.starting():
        running = place.read_running()
        if not place.held() or running is None:
            return False
        os.kill(int(running["pid"]), signal.SIGTERM)
        if not _wait_until(lambda: not place.held(), _STOP_SECONDS):
            os.kill(int(running["pid"]), signal.SIGKILL)
            _wait_until(lambda: not place.held(), _STOP_SECONDS)
    return True


def server_status(home: Path | None = None) -> ServerStatus:
    """Returns whether the embedded server of a home answers, and where."""
    place = open_home(home)
    url, running = _running_url(place), place.read_running()
    if url is None or running is None:
        return ServerStatus(place.path, running=False)
    pid = int(running["pid"])
    return ServerStatus(place.path, True, url, pid, _version(url), _resident(pid))


def account(home: Path | None = None) -> Secrets:
    """Returns the owner account of a home: what a person types to sign in."""
    return read_secrets(open_home(home))


def _running_url(home: Home) -> str | None:
    running = home.read_running()
    if running is None or not home.held():
        return None
    url = f"http://{HOST}:{running['port']}"
    return url if _version(url) else None


def _start(home: Home, port: int | None) -> str:
    interpreter = ensure_environment()
    read_secrets(home)
    home.running_file.unlink(missing_ok=True)
    chosen = _port(home, port)
    say(f"Starting the Argilla server on http://{HOST}:{chosen}")
    command = [str(interpreter), "-s", "-m", "embedded", str(home.path), str(chosen)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "PYTHONUNBUFFERED": "1"}
    with private(home.log_file, "wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home.path, env=environment, start_new_session=True
        )
    ready = _wait_until(lambda: _running_url(home) is not None or process.poll() is not None, _START_SECONDS)
    url = _running_url(home)
    if url is None:
        if process.poll() is None:
            process.kill()
        raise InputError(_why(home, ready))
    return url


def _port(home: Home, asked: int | None) -> int:
    """Returns the port to listen on.

    Raises:
        InputError: The one that was asked for is taken.
    """
    if asked is not None:
        if not _free(asked):
            raise InputError(f"Port {asked} is taken by another program. Choose another with --port, or leave it out.")
        return asked
    last = home.path / "port"
    wanted = int(last.read_text()) if last.exists() and last.read_text().isdigit() else FIRST_PORT
    chosen = wanted if _free(wanted) else _any_free()
    last.write_text(str(chosen))
    return chosen


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _any_free() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _version(url: str) -> str | None:
    """Returns the version that a server on this machine says it has, or None when none answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/api/v1/version", timeout=5) as answer:
            return str(json.load(answer)["version"])
    except (OSError, ValueError, KeyError):
        return None


def _resident(pid: int) -> int | None:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _why(home: Home, ended: bool) -> str:
    """Returns the line for a server that did not start: its own last word, or where its log is."""
    lines = home.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
    fatal = [line.removeprefix(_FATAL) for line in lines if line.startswith(_FATAL)]
    if fatal:
        return f"The Argilla server did not start: {fatal[-1]}"
    what = "ended" if ended else f"did not answer within {_START_SECONDS:.0f} s"
    return f"The Argilla server {what} while it was starting. Its log says why: {home.log_file}"


def _wait_until(true: object, seconds: float) -> bool:
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
