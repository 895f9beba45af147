"""A ZenML server on loopback, on SQLite or MariaDB, with a service account for its clients.

with MariaDb(tmp_path / "mariadb") as database, ZenmlServer(tmp_path / "zenml", database.url) as server:
    run(..., env={**environment, **server.client})
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from finetrieve.argilla_server.probe import free_port

_SECONDS = 600
_PASSWORD = "not-a-secret"


class ZenmlServer:
    """A running ZenML server, for as long as the `with` block is open."""

    def __init__(self, folder: Path, database: str = "") -> None:
        self._folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self._database = database
        self.client: dict[str, str] = {}
        """Environment variables that make a process a client of this server."""

    def __enter__(self) -> ZenmlServer:
        self._folder.mkdir(parents=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ZENML_")},
            "HOME": str(self._folder),
            "ZENML_CONFIG_PATH": str(self._folder / "config"),
            "ZENML_STORE_URL": self._database or f"sqlite:///{self._folder / 'zenml.db'}",
            "ZENML_SERVER_AUTO_ACTIVATE": "1",
            "ZENML_DEFAULT_USER_PASSWORD": _PASSWORD,
            "ZENML_ANALYTICS_OPT_IN": "false",
            "ZENML_LOGGING_VERBOSITY": "WARNING",
        }
        host, port = urllib.parse.urlsplit(self.url).netloc.split(":")
        command = [sys.executable, "-m", "uvicorn", "zenml.zen_server.zen_server_api:app", "--host", host, "--port", port]
        self.log = self._folder / "server.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        _wait_for(self._process, self.log, lambda: _request(f"{self.url}/health", {}, None))
        form = urllib.parse.urlencode({"username": "default", "password": _PASSWORD}).encode()
        token = _request(f"{self.url}/api/v1/login", {}, form)["access_token"]
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.client = {"ZENML_STORE_URL": self.url, "ZENML_STORE_API_KEY": self._api_key()}
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)

    def keep_secret(self, name: str, **values: str) -> None:
        """Puts a secret into the server."""
        _request(f"{self.url}/api/v1/secrets", self._headers, _json(name=name, values=values, private=False))

    def _api_key(self) -> str:
        """Returns the key of a new service account."""
        account = _request(f"{self.url}/api/v1/service_accounts", self._headers, _json(name="scheduler", active=True))
        keys = f"{self.url}/api/v1/service_accounts/{account['id']}/api_keys"
        return str(_request(keys, self._headers, _json(name="key"))["body"]["key"])


class MariaDb:
    """A running MariaDB with an empty database, for as long as the `with` block is open."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"mysql://zenml:zenml@127.0.0.1:{self._port}/zenml"

    @staticmethod
    def missing() -> str:
        """Returns why it cannot run on this machine, or an empty string."""
        return "" if shutil.which("mariadbd") else "MariaDB is not installed (Debian: apt-get install mariadb-server)"

    def __enter__(self) -> MariaDb:
        data = self._folder / "data"
        data.mkdir(parents=True)
        user = pwd.getpwuid(os.getuid()).pw_name
        common = ["--no-defaults", f"--datadir={data}", f"--user={user}"]
        subprocess.run(["mariadb-install-db", *common, "--skip-test-db"], check=True, capture_output=True)
        setup = self._folder / "setup.sql"
        setup.write_text(
            "CREATE DATABASE zenml;\n"
            "CREATE USER 'zenml'@'127.0.0.1' IDENTIFIED BY 'zenml';\n"
            "GRANT ALL ON zenml.* TO 'zenml'@'127.0.0.1';\n"
        )
        command = ["mariadbd", *common, f"--socket={self._folder / 'socket'}", f"--pid-file={self._folder / 'pid'}"]
        command += [f"--port={self._port}", "--bind-address=127.0.0.1", "--skip-name-resolve", f"--init-file={setup}"]
        self.log = self._folder / "mariadb.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        _wait_for(self._process, self.log, lambda: socket.create_connection(("127.0.0.1", self._port), 1).close())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)


def _wait_for(process: subprocess.Popen[bytes], log: Path, answers: Any) -> None:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]!r} did not start:\n{log.read_text(errors='replace')[-4000:]}")  # type: ignore[index]
        try:
            answers()
        except OSError:
            time.sleep(0.2)
        else:
            return
    process.kill()
    raise TimeoutError(f"no answer within {_SECONDS} s:\n{log.read_text(errors='replace')[-4000:]}")


def _json(**values: object) -> bytes:
    return json.dumps(values).encode()


def _request(url: str, headers: dict[str, str], body: bytes | None) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=120) as answer:
        text = answer.read().decode()
    return json.loads(text) if text.startswith(("{", "[")) else text
