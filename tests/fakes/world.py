"""What a pipeline away from this machine needs, on loopback: a ZenML server, an S3 store, a webhook, and a checkout to run from.

with World(tmp_path, warm_python) as world:
    world.run("stack", "register", world.stack_file("kubernetes", ...))
    world.run("--pipeline", "retrain", "--schedule", "0 3 * * 1", ...)
    world.webhook.messages, world.stored()
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import tarfile
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.conftest import ROOT
from tests.fakes.zenml import MariaDb, ZenmlServer
from tests.warm_python import WarmPython

PLANTED = {
    "s3": "PLANTED-s3-secret-5d41402abc4b",
    "webhook": "PLANTED-webhook-7d793037a076",
    "provider": "sk-PLANTED-provider-key-2a9d119df47f",
    "file": "sk-PLANTED-dotenv-key-8277e0910d75",
}
"""Secrets that are needed, and may be found nowhere but where secrets are kept."""
IMAGE = "registry.example.com/team/finetrieve:1"
_STORE = "s3://artifacts/finetrieve"


class Webhook:
    """A server on loopback that keeps what is posted to it."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks/{PLANTED['webhook']}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class World:
    """The servers and a copy of the project, for as long as the `with` block is open."""

    def __init__(self, folder: Path, python: WarmPython) -> None:
        self.folder = folder
        self._python = python
        self.checkout = folder / "checkout"
        self._open = ExitStack()

    def __enter__(self) -> World:
        for name in ("finetrieve", "pipelines", "steps", "configs"):
            shutil.copytree(ROOT / name, self.checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "run.py", self.checkout)
        (self.checkout / ".env").write_text(f"OPENAI_API_KEY={PLANTED['file']}\n")
        self.database = "SQLite" if MariaDb.missing() else "MariaDB"
        url = "" if MariaDb.missing() else self._open.enter_context(MariaDb(self.folder / "mariadb")).url
        self.server = self._open.enter_context(ZenmlServer(self.folder / "zenml", url))
        self.webhook = Webhook()
        self._open.callback(self.webhook.close)
        self._start_s3()
        self.server.keep_secret("finetrieve_s3", aws_access_key_id="finetrieve", aws_secret_access_key=PLANTED["s3"])
        self.server.keep_secret("finetrieve", FINETRIEVE_WEBHOOK_URL=self.webhook.url, OPENAI_API_KEY=PLANTED["provider"])
        home = self.folder / "home"
        home.mkdir()
        self.environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(home), **self.server.client}
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def run(self, *arguments: str | Path) -> str:
        """Returns what a command printed; it has to succeed."""
        done = self._python.run([self.checkout / "run.py", *arguments], self.environment, self.checkout)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stack_file(self, name: str, configuration: dict[str, Any], **changes: Any) -> Path:
        """Returns a stack that comes with the project, filled in for these servers: the orchestrator by `configuration`, whole parts by `changes`."""
        stack = yaml.safe_load((ROOT / "configs" / "stacks" / f"{name}.yaml").read_text())
        stack["orchestrator"]["configuration"] |= configuration
        stack["artifact_store"]["configuration"] = {
            "path": _STORE,
            "key": "{{finetrieve_s3.aws_access_key_id}}",
            "secret": "{{finetrieve_s3.aws_secret_access_key}}",
            "client_kwargs": {"endpoint_url": self._s3_url},
        }
        stack["container_registry"]["configuration"]["uri"] = IMAGE.rpartition("/")[0]
        stack["docker"]["parent_image"] = IMAGE
        stack["secrets"] = ["finetrieve"]
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**stack, **changes}))
        return path

    def stored(self) -> dict[str, bytes]:
        """Returns everything in the artifact store, by its key; what lies in an archive has the archive's key in front."""
        stored = {item.key: item.get()["Body"].read() for item in self._bucket.objects.all()}
        for key in [key for key in stored if key.endswith(".tar.gz")]:
            with tarfile.open(fileobj=io.BytesIO(stored[key])) as archive:
                members = {f"{key}/{member.name}": archive.extractfile(member) for member in archive}
                stored |= {name: file.read() for name, file in members.items() if file is not None}
        return stored

    def secrets(self) -> list[str]:
        """Returns every secret that this world holds."""
        return [*PLANTED.values(), self.environment["ZENML_STORE_API_KEY"]]

    def _start_s3(self) -> None:
        import boto3
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        server.start()
        self._open.callback(server.stop)
        host, port = server.get_host_and_port()
        self._s3_url = f"http://{host}:{port}"
        # What it stores belongs to the process, not to the server: another test's objects would still be there.
        requests.post(f"{self._s3_url}/moto-api/reset", timeout=60).raise_for_status()
        keys = {"aws_access_key_id": "finetrieve", "aws_secret_access_key": PLANTED["s3"], "region_name": "us-east-1"}
        self._bucket = boto3.resource("s3", endpoint_url=self._s3_url, **keys).Bucket("artifacts")
        self._bucket.create()
