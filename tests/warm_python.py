"""Python that is warm: commands run in forks of a process that has the heavy libraries, so that not each imports them for seconds.

    with WarmPython(folder) as python:
        done = python.run(["run.py", "models"], environment, ROOT)

A fork is a process of its own, with its own environment, folder, streams and end. Only what a library reads from the environment
while it is imported, ZenML's verbosity above all, is as it was at the start. The library of this project is imported before the fork
as well, but for commands of another checkout; its steps and pipelines, which ask ZenML's store, never are.
What is tested about starting (its time, its imports, `-v`) needs a `subprocess`.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import importlib.metadata
import importlib.util
import json
import os
import pkgutil
import runpy
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TextIO

_LIBRARIES = (
    "zenml.client",
    "zenml.pipelines",
    "zenml.orchestrators.local.local_orchestrator",
    "zenml.zen_stores.sql_zen_store",
    "torch",
    "torch._dynamo",  # which the first step of an optimizer imports
    "transformers.models.bert.modeling_bert",
    "sentence_transformers",
    "sentence_transformers.sentence_transformer.losses",
    "distilabel.pipeline",
    "distilabel.steps.tasks",
    "distilabel.models.llms.base",
    "bm25s",
    "lemminflect",
    "openai",
)
_ELSEWHERE = ("finetrieve.argilla_server.embedded", "finetrieve.generation.ray_cluster")
"""What has libraries of its own, or one that reads the environment while it is imported."""
_ROOT = Path(__file__).resolve().parent.parent
NOTHING = Path(os.devnull)
_LONGEST = 100_000
"""Bytes of a request, most of which is the environment."""


class WarmProcess:
    """A process that was forked."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self.pid = int(told.recv(64))

    def wait(self, timeout: float = 600) -> int:
        """Returns its exit code, once it has ended; that of a signal is negative."""
        self._told.settimeout(timeout)
        try:
            code = int(self._told.recv(64))
        except TimeoutError as error:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout) from error
        self._told.close()
        return code

    def kill(self) -> None:
        """Kills it, and nothing that it started."""
        os.kill(self.pid, signal.SIGKILL)


class WarmPython:
    """The process that is forked, for as long as the `with` block is open; it starts with the first command."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._control: socket.socket | None = None

    def __enter__(self) -> WarmPython:
        return self

    def __exit__(self, *_: object) -> None:
        if self._control is not None:
            self._control.close()
            self._process.terminate()
            self._process.wait(60)

    def run(
        self, arguments: Sequence[str | Path], environment: dict[str, str], folder: Path, timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Returns how `python ARGUMENTS` ended and what it wrote.

        Args:
            arguments: A script with its arguments, or `-c` and code.
            environment: Variables of the process.
            folder: Where it runs.
            timeout: Seconds after which it is killed.
        """
        with NOTHING.open("rb") as nothing, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self.start(arguments, environment, folder, (nothing, out, err))
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            for file in (out, err):
                file.seek(0)
            return subprocess.CompletedProcess(arguments, code, out.read().decode(), err.read().decode())

    def start(
        self,
        arguments: Sequence[str | Path],
        environment: dict[str, str],
        folder: Path,
        streams: Sequence[IO[Any] | socket.socket],
    ) -> WarmProcess:
        """Returns `python ARGUMENTS` as a process that runs in a session of its own.

        Args:
            arguments: A script with its arguments, or `-c` and code.
            environment: Variables of the process.
            folder: Where it runs.
            streams: Its standard input, output and error.
        """
        request = {"arguments": [str(argument) for argument in arguments], "environment": environment, "folder": str(folder)}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            files = [file.fileno() for file in (*streams, theirs)]
            socket.send_fds(self._started(), [json.dumps(request).encode()], files)
        return WarmProcess(ours)

    @contextmanager
    def running(
        self, arguments: Sequence[str | Path], environment: dict[str, str], folder: Path, errors: Path
    ) -> Iterator[tuple[WarmProcess, TextIO]]:
        """Yields `python ARGUMENTS` as a process that runs, and its output; its errors go to a file. A failed test kills it."""
        ours, theirs = socket.socketpair()
        with ours, NOTHING.open("rb") as nothing, errors.open("wb") as file:
            with theirs:
                process = self.start(arguments, environment, folder, (nothing, theirs, file))
            with ours.makefile("r") as output:
                try:
                    yield process, output
                except BaseException:
                    with suppress(ProcessLookupError):
                        process.kill()
                    raise

    def prepare(self, code: str) -> None:
        """Runs code in the process that is forked, so that every later fork finds what it imported."""
        self._started().send(json.dumps({"prepare": code}).encode())

    def _started(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            command = [sys.executable, "-c", f"from {__name__} import main; main()", str(theirs.fileno())]
            environment = {**os.environ, "HOME": str(self._home), "XDG_CACHE_HOME": str(self._home / ".cache")}
            with theirs:
                self._process = subprocess.Popen(
                    command,
                    env=environment,
                    cwd=_ROOT,
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
        return self._control


def _import_libraries() -> None:
    gc.set_threshold(20_000)  # also of every fork: by default a collection follows on each 700 new objects
    from finetrieve.app.zenml_environment import quiet_zenml

    quiet_zenml()
    for name in _LIBRARIES:
        if importlib.util.find_spec(name.partition(".")[0]):  # some come with an extra
            importlib.import_module(name)
    from sqlalchemy import Engine, event
    from sqlalchemy.orm import configure_mappers
    from zenml.integrations.registry import integration_registry

    event.listen(Engine, "connect", _leave_syncing_to_the_system)
    configure_mappers()
    integration_registry._initialize()
    # ZenML asks which package a module comes from, and what is installed does not change: a third of a second of each run.
    importlib.metadata.packages_distributions = functools.cache(importlib.metadata.packages_distributions)
    importlib.metadata.packages_distributions()
    _import_project()
    sys.excepthook = sys.__excepthook__
    sys.stdout.flush()  # what is not written yet would be written by every fork
    sys.stderr.flush()


def _import_project() -> None:
    """Imports the library of this project, and reads which files each of its modules needs."""
    import finetrieve
    from finetrieve.core.code_hash import reached_files

    for module in pkgutil.walk_packages(finetrieve.__path__, "finetrieve."):
        if not module.name.startswith(_ELSEWHERE):
            with suppress(ImportError):  # what comes with an extra
                importlib.import_module(module.name)
    reached_files(_ROOT / "pipelines" / "retrain.py")


def _forget_project() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "finetrieve"]:
        del sys.modules[name]


def _leave_alone() -> None:
    """Has the garbage collector never look at what is there, which every fork shares."""
    gc.collect()
    gc.freeze()


def _leave_syncing_to_the_system(connection: Any, _: Any) -> None:
    """Spares ZenML's store the wait for the disk, 600 times in a run: only a power cut could tell the difference."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


def _forked(control: socket.socket) -> list[str]:
    """Forks a process for each request, and returns its arguments in that process."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _leave_alone()
    while True:
        message, files, _, _ = socket.recv_fds(control, _LONGEST, 4)
        if not message:
            os._exit(0)
        request: dict[str, Any] = json.loads(message)
        if "prepare" in request:
            exec(request["prepare"], {})
            _leave_alone()
            continue
        if os.fork() == 0:
            break
        for file in files:
            os.close(file)
    control.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # This process waits for the command, which is its child, and tells how it ended.
    reply = socket.socket(fileno=files.pop())
    if pid := os.fork():
        reply.send(str(pid).encode())
        reply.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
        os._exit(0)
    reply.close()
    os.setsid()
    # A shell starts what it puts into the background with interrupts ignored, and that is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    return list(request["arguments"])


def _execute(arguments: list[str]) -> None:
    """Does what `python ARGUMENTS` does."""
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    script, *rest = arguments
    if (Path.cwd() if script == "-c" else Path(script).resolve().parent) != _ROOT:
        _forget_project()  # the code may be that of another checkout
    if script == "-c":
        code, *rest = rest
        sys.argv, sys.path[:1] = ["-c", *rest], ["", *paths]
        module = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(code, "<string>", "exec"), module.__dict__)
    else:
        sys.argv, sys.path[:1] = arguments, [str(Path(script).resolve().parent), *paths]
        runpy.run_path(script, run_name="__main__")


def main() -> None:
    """Is the process that is forked, and each fork of it, which ends as any Python does."""
    _import_libraries()
    arguments = _forked(socket.socket(fileno=int(sys.argv[1])))
    code = 0
    try:
        _execute(arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if code and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    # What Python does at its end, but for taking thousands of modules apart, which takes half a second.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
