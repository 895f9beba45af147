"""Looks at ports, servers and processes of this machine."""

from __future__ import annotations

import json
import os
import socket
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

HOST = "127.0.0.1"
INSTANCE_HEADER = "x-finetrieve-instance"
"""As in `embedded.service`, which cannot import from here."""
_ANSWER_SECONDS = 10.0


def is_free(port: int) -> bool:
    """Returns whether a server could listen on a port."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Returns a port that nothing listens on."""
    with socket.socket() as tried:
        tried.bind((HOST, 0))
        return int(tried.getsockname()[1])


def argilla_version(url: str, instance: str) -> str | None:
    """Returns the version that a server of ours says it has, or None when it does not answer, or another does in its place."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/api/v1/version", timeout=_ANSWER_SECONDS) as answer:
            return str(json.load(answer)["version"]) if answer.headers.get(INSTANCE_HEADER) == instance else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def resident_bytes(pid: int) -> int | None:
    """Returns what a process has in memory, or None where the system does not say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Returns whether a condition came true within some seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
