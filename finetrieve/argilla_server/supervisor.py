"""Starts, finds and stops the embedded Argilla server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from finetrieve.argilla_server.environment import ensure_environment
from finetrieve.argilla_server.home import Home, Secrets, open_home, open_private, read_secrets
from finetrieve.argilla_server.probe import HOST, argilla_version, free_port, is_free, resident_bytes, wait_until
from finetrieve.core.errors import InputError
from finetrieve.core.logging import get_logger

logger = get_logger(__name__)

FIRST_PORT = 6900
_START_SECONDS = 180.0
_STOP_SECONDS = 20.0
_FATAL = "FATAL: "
_ROOM_BYTES = 20_000_000
"""Less than this and not even the web UI has room, nor perhaps the line that would say so in the log."""
_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH")
"""All that the server gets of our environment: it lives long, and has no use for anybody's tokens."""


@dataclass(frozen=True)
class RunningServer:
    """An embedded server that answers, and how to sign in to it.

    Attributes:
        url: Its address, without a slash at the end.
        api_key: The owner's; not shown by `repr`.
        workspace: The one that was made with the account.
    """

    url: str
    api_key: str = field(repr=False)
    workspace: str


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


def ensure_server(home: Path | None = None, port: int | None = None) -> RunningServer:
    """Returns the embedded server, which is started if it does not run.

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
    signed = read_secrets(place)
    return RunningServer(found, signed.api_key, signed.workspace)


def stop_server(home: Path | None = None) -> bool:
    """Returns whether a server was running; it is stopped, its data kept."""
    place = open_home(home)
    with place.starting():
        pid = place.holder()
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        if not wait_until(lambda: not place.held(), _STOP_SECONDS):
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not place.held(), _STOP_SECONDS)
    return True


def server_status(home: Path | None = None) -> ServerStatus:
    """Returns whether the embedded server of a home answers, and where."""
    place = open_home(home)
    found, pid = _running(place), place.holder()
    if found is None or pid is None:
        return ServerStatus(place.path, running=False)
    url, version = found
    return ServerStatus(place.path, True, url, pid, version, resident_bytes(pid))


def account(home: Path | None = None) -> Secrets:
    """Returns the owner account of a home: what a person types to sign in."""
    return read_secrets(open_home(home))


def _running_url(home: Home) -> str | None:
    found = _running(home)
    return found[0] if found else None


def _running(home: Home) -> tuple[str, str] | None:
    """Returns the address and the version of the home's server, or None when it does not answer."""
    running = home.read_running()
    if running is None or not home.held():
        return None
    url = f"http://{HOST}:{running.port}"
    version = argilla_version(url, running.instance)
    return (url, version) if version else None


def _start(home: Home, port: int | None) -> str:
    interpreter = ensure_environment()
    read_secrets(home)
    if other := _wait_for_the_other(home):
        return other
    home.running_file.unlink(missing_ok=True)
    chosen = _port(home, port)
    logger.info(f"Starting the Argilla server on http://{HOST}:{chosen}")
    process = _spawn(interpreter, home, chosen)
    ended = wait_until(lambda: _running_url(home) is not None or process.poll() is not None, _START_SECONDS)
    url = _running_url(home)
    if url is None:
        process.kill()
        raise InputError(_explain_failure(home, ended))
    return url


def _spawn(interpreter: Path, home: Home, port: int) -> subprocess.Popen[bytes]:
    """Returns the server's process, which outlives ours."""
    command = [str(interpreter), "-sP", "-m", "embedded", str(home.path), str(port)]
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {"PYTHONPATH": str(Path(__file__).parent), "PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1"}
    with open_private(home.log_file, "wb") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home.path, env=environment, start_new_session=True
        )


def _wait_for_the_other(home: Home) -> str | None:
    """Returns the address of a server that is alive and did not answer at once: it is starting, or busy; None if it ends.

    Raises:
        InputError: It lives and does not answer.
    """
    wait_until(lambda: not home.held() or _running_url(home) is not None, _START_SECONDS)
    url = _running_url(home)
    if url is None and home.held():
        raise InputError(
            f"The Argilla server on {home.path} (process {home.holder()}) does not answer. Stop it, then try again: "
            "python run.py argilla down"
        )
    return url


def _port(home: Home, asked: int | None) -> int:
    """Returns the port to listen on, which is noted for the next time.

    Raises:
        InputError: The one that was asked for is taken.
    """
    if asked is not None and not is_free(asked):
        raise InputError(f"Port {asked} is taken by another program. Choose another with --port, or leave it out.")
    wanted = asked or home.last_port() or FIRST_PORT
    chosen = wanted if is_free(wanted) else free_port()
    home.port_file.write_text(str(chosen), encoding="ascii")
    return chosen


def _explain_failure(home: Home, ended: bool) -> str:
    """Returns the line for a server that did not start: its own last word, or where its log is."""
    lines = home.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
    fatal = [line.removeprefix(_FATAL) for line in lines if line.startswith(_FATAL)]
    if fatal:
        return f"The Argilla server did not start: {fatal[-1]}"
    if shutil.disk_usage(home.path).free < _ROOM_BYTES:
        return f"The Argilla server did not start: the disk with {home.path} is full. Free some space and try again."
    what = "ended" if ended else f"did not answer within {_START_SECONDS:.0f} s"
    return f"The Argilla server {what} while it was starting. Its log says why: {home.log_file}"
