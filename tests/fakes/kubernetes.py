"""A Kubernetes API server on loopback whose pods run as processes of this machine: a cluster without Docker.

    with Cluster(tmp_path, warm_python) as cluster:
        cluster.kubeconfig          # for KUBECONFIG; the context is called "toy"
        job = cluster.fire("retrain-...")   # what the CronJob controller does when its time has come
        cluster.wait(job)
        cluster.objects("cronjobs"), cluster.log(pod)

It keeps what it is given and answers reads, lists with label selectors, merge patches and deletes. A Job starts a pod; the pod's
process gets the environment of its manifest (values and references to Secrets) and nothing else, its own host name, and a
file system in which everything of this machine is mounted and /app is its own, as in a container. The image is not looked at.
Every pod is a fork of a warm Python.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.fakes import container
from tests.warm_python import WarmProcess, WarmPython

CONTEXT = "toy"
_OBJECT = re.compile(
    r"/(?:api|apis/[\w.]+)/v1(?:/namespaces/(?P<ns>[\w-]+))?/(?P<kind>\w+)(?:/(?P<name>[\w.-]+))?(?P<log>/log)?$"
)
_KINDS = {
    "cronjobs": ("batch/v1", "CronJob"),
    "jobs": ("batch/v1", "Job"),
    "pods": ("v1", "Pod"),
    "secrets": ("v1", "Secret"),
    "serviceaccounts": ("v1", "ServiceAccount"),
    "rolebindings": ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    "namespaces": ("v1", "Namespace"),
}
_IN_PODS = """
import kubernetes.config.kube_config, s3fs
import zenml.integrations.kubernetes.orchestrators.kubernetes_orchestrator
import zenml.integrations.s3.artifact_stores.s3_artifact_store
import zenml.zen_stores.rest_zen_store
from zenml.environment import Environment
found = Environment.get_python_packages()
Environment.get_python_packages = staticmethod(lambda: found)
"""
"""What each pod would import anew, and ask pip for."""
_ISOLATED = ["unshare", "--map-root-user", "--mount", "--uts", "--pid", "--fork", "--kill-child"]


def container_command() -> list[str]:
    """Returns the command that runs another as in a container; append an empty folder, a host name and the other command."""
    return [*_ISOLATED, "sh", "-euc", f'root=$1\n{container.MOUNTS}\nexec chroot "$root" "$@"', "sh"]


def missing() -> str:
    """Returns why pods cannot run on this machine, or an empty string."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return "pods need Linux with unshare (util-linux)"
    tried = subprocess.run([*_ISOLATED, "true"], capture_output=True, text=True, check=False)
    return f"pods need user namespaces: {tried.stderr.strip()}" if tried.returncode else ""


class Cluster:
    """A running cluster, for as long as the `with` block is open."""

    def __init__(self, folder: Path, python: WarmPython) -> None:
        self._folder, self._python = folder, python
        self._things: dict[str, dict[str, dict[str, Any]]] = {}
        self._lock = threading.RLock()
        self._running: list[WarmProcess] = []
        self._closed = False
        self.requests: list[tuple[str, str]] = []
        """Method and path of every request, in their order."""

    def __enter__(self) -> Cluster:
        self._folder.mkdir(parents=True)
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else {}
                status, answer = cluster._answer(self.command, self.path, body)
                text = answer if isinstance(answer, str) else json.dumps(answer)
                self.send_response(status)
                self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.kubeconfig = self._folder / "kubeconfig"
        self.kubeconfig.write_text(yaml.safe_dump(self._kubeconfig()))
        # The client reads KUBECONFIG when it is imported.
        places = "kubernetes.config.KUBE_CONFIG_DEFAULT_LOCATION = kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
        self._python.prepare(f"{_IN_PODS}\n{places} = {str(self.kubeconfig)!r}")
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        for process in list(self._running):
            process.kill()
        end = time.monotonic() + 10
        while self._running and time.monotonic() < end:
            time.sleep(0.05)
        self._server.shutdown()
        self._server.server_close()

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """Returns the manifests of a kind, such as `cronjobs`, oldest first."""
        with self._lock:
            return json.loads(json.dumps(list(self._things.get(kind, {}).values())))

    def fire(self, cron_job: str) -> str:
        """Returns the name of the Job that a CronJob's time starts; a suspended one has no time."""
        with self._lock:
            spec = self._things["cronjobs"][cron_job]["spec"]
            assert not spec.get("suspend"), f"{cron_job} is suspended"
            manifest = {**spec["jobTemplate"], "metadata": {**spec["jobTemplate"].get("metadata", {})}}
            manifest["metadata"]["name"] = f"{cron_job[:45]}-{int(time.time())}"
            self._create("jobs", manifest)
            return str(manifest["metadata"]["name"])

    def wait(self, job: str, seconds: float = 600) -> bool:
        """Returns whether a Job completed, once it has ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self._lock:
                conditions = self._things["jobs"][job]["status"].get("conditions", [])
            if conditions:
                return bool(conditions[0]["type"] == "Complete")
            time.sleep(0.2)
        raise TimeoutError(f"the Job {job} did not end within {seconds:.0f} s")

    def log(self, job: str) -> str:
        """Returns what the pods of a Job wrote."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self._folder.glob(f"log-{job}-*")))

    def _kubeconfig(self) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CONTEXT,
            "clusters": [{"name": CONTEXT, "cluster": {"server": self.url}}],
            "users": [{"name": CONTEXT, "user": {}}],
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
        }

    # The API.

    def _answer(self, method: str, target: str, body: dict[str, Any]) -> tuple[int, Any]:
        parts = urlsplit(target)
        with self._lock:
            self.requests.append((method, parts.path))
            found = _OBJECT.fullmatch(parts.path)
            if found is None or found["kind"] not in _KINDS:
                return _refusal(404, f"no such resource: {parts.path}")
            kind, name = found["kind"], found["name"]
            if method == "POST":
                return self._create(kind, body)
            if name is None:
                return 200, self._list(kind, parse_qs(parts.query))
            if name not in self._things.get(kind, {}):
                return _refusal(404, f'{kind} "{name}" not found')
            if found["log"]:
                job = self._things[kind][name]["metadata"]["labels"]["job-name"]
                return 200, self.log(job)
            if method in ("PATCH", "PUT"):
                self._things[kind][name] = _merged(self._things[kind][name], body) if method == "PATCH" else body
            thing = self._things[kind][name]
            if method == "DELETE":
                del self._things[kind][name]
            return 200, thing

    def _create(self, kind: str, body: dict[str, Any]) -> tuple[int, Any]:
        api, title = _KINDS[kind]
        name = body["metadata"]["name"]
        if name in self._things.setdefault(kind, {}):
            return _refusal(409, f'{kind} "{name}" already exists')
        metadata = {**body["metadata"], "uid": secrets.token_hex(8), "creationTimestamp": _now()}
        if kind == "jobs":
            body = _defaulted(body)
        thing = {**body, "apiVersion": api, "kind": title, "metadata": metadata, "status": body.get("status", {})}
        self._things[kind][name] = thing
        if kind == "jobs":
            threading.Thread(target=self._run_job, args=(name,), daemon=True).start()
        return 201, thing

    def _list(self, kind: str, query: dict[str, list[str]]) -> dict[str, Any]:
        wanted = dict(pair.split("=", 1) for pair in query.get("labelSelector", [""])[0].split(",") if pair)
        phase = query.get("fieldSelector", [""])[0].removeprefix("status.phase=")
        api, title = _KINDS[kind]
        items = [
            thing
            for thing in self._things.get(kind, {}).values()
            if wanted.items() <= (thing["metadata"].get("labels") or {}).items()
            and (not phase or thing["status"].get("phase") == phase)
        ]
        return {"apiVersion": api, "kind": f"{title}List", "metadata": {}, "items": items}

    # The Job controller and the kubelet.

    def _run_job(self, name: str) -> None:
        spec = self._things["jobs"][name]["spec"]
        ended = "Failed"
        for attempt in range(spec.get("backoffLimit", 0) + 1):
            if self._closed or name not in self._things["jobs"]:
                return
            if self._run_pod(name, spec["template"], attempt) == 0:
                ended = "Complete"
                break
        with self._lock:
            if name in self._things["jobs"]:
                self._things["jobs"][name]["status"] = {"conditions": [{"type": ended, "status": "True"}]}

    def _run_pod(self, job: str, template: dict[str, Any], attempt: int) -> int:
        name = f"{job[:50]}-{secrets.token_hex(3)}"
        labels = {**(template["metadata"].get("labels") or {}), "job-name": job}
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": self._things["jobs"][job]["metadata"]["uid"]}
        with self._lock:
            manifest = {
                **template,
                "metadata": {**template["metadata"], "name": name, "labels": labels, "ownerReferences": [owner]},
            }
            self._create("pods", {**manifest, "status": {"phase": "Running"}})
            given = template["spec"]["containers"][0]
            environment = self._environment(given)
        root = self._folder / f"root-{name}"
        root.mkdir()
        command = [*given["command"], *given.get("args", [])]
        with (self._folder / f"log-{job}-{attempt}").open("wb") as log:
            process = self._start([str(root), name], command, environment, log)
            self._running.append(process)
            code = process.wait(1800)
            self._running.remove(process)
        with self._lock:
            if name in self._things["pods"]:
                self._things["pods"][name]["status"] = {"phase": "Failed" if code else "Succeeded"}
        return code

    def _start(self, place: list[str], command: list[str], environment: dict[str, str], log: IO[bytes]) -> WarmProcess:
        python, option, *module = command
        assert (python, option) == ("python", "-m"), command
        with Path(os.devnull).open("rb") as nothing:
            return self._python.start([container.__file__, *place, *module], environment, Path("/"), (nothing, log, log))

    def _environment(self, given_container: dict[str, Any]) -> dict[str, str]:
        """Returns what the manifest gives a container; PATH and KUBECONFIG stand for the image and the in-cluster credentials."""
        given = {
            "PATH": f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/app",
            "KUBECONFIG": str(self.kubeconfig),
        }
        for entry in given_container.get("env") or []:
            if "value" in entry:
                given[entry["name"]] = str(entry["value"])
            elif reference := (entry.get("valueFrom") or {}).get("secretKeyRef"):
                data = self._things["secrets"][reference["name"]]["data"]
                given[entry["name"]] = base64.b64decode(data[reference["key"]]).decode()
        return given


def _defaulted(job: dict[str, Any]) -> dict[str, Any]:
    """Returns a Job with what a real API server adds; its own client refuses the Job without."""
    filled: dict[str, Any] = json.loads(json.dumps(job))
    for rule in (filled["spec"].get("podFailurePolicy") or {}).get("rules", []):
        for pattern in rule.get("onPodConditions") or []:
            pattern.setdefault("status", "True")
    return filled


def _merged(old: Any, new: Any) -> Any:
    """Returns the JSON merge patch of two values (RFC 7396)."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    kept = {key: value for key, value in old.items() if key not in new}
    return {**kept, **{key: _merged(old.get(key), value) for key, value in new.items() if value is not None}}


def _refusal(status: int, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
