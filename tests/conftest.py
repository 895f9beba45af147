"""Fixtures that every test may use: a ZenML of its own, the command line as a person runs it, and an Argilla server."""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
# Each worker has a core. Tiny models compute no faster on two, and threads that spin while they wait take the core from the other
# worker. Set before anything imports torch, which reads it once; what the tests start inherits it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# By default a garbage collection follows on every 700 new objects, and goes through the millions that the libraries made.
gc.set_threshold(20_000)

from finetrieve.annotation.client import Connection  # noqa: E402
from finetrieve.annotation.connection import connect_embedded  # noqa: E402
from finetrieve.argilla_server import stop_server  # noqa: E402
from finetrieve.argilla_server.environment import ensure_environment, environment_path  # noqa: E402
from finetrieve.core.errors import InputError  # noqa: E402
from tests.small_base import write_small_base  # noqa: E402
from tests.warm_python import WarmPython  # noqa: E402

RunCommand = Callable[..., subprocess.CompletedProcess[str]]


SLOW_FIXTURES = {"command", "warm_python", "server_environment", "server", "hub", "database"}
"""They start a Python, a server or a database: whatever asks for one is slow."""


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what starts something as slow, and puts the files with the longest tests first: of two workers none waits at the end for the other's last test."""
    for item in items:
        if item.get_closest_marker("slow") is None and not SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    longest: dict[Path, float] = {}
    for item in items:
        longest[item.path] = max(longest.get(item.path, 0.0), _minutes(item))
    items.sort(key=lambda item: longest[item.path], reverse=True)


def pytest_collection_finish() -> None:
    """Has the garbage collector leave alone what is there before the first test."""
    gc.freeze()


def _minutes(item: pytest.Item) -> float:
    return max((mark.kwargs.get("minutes", 0.5) for mark in item.iter_markers("slow")), default=0.0)


def needs(*packages: str) -> pytest.MarkDecorator:
    """Returns the mark of tests that are skipped where an optional package is missing; nothing is imported to find out."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def home_environment(home: Path) -> dict[str, str]:
    """Returns an environment in which ZenML, caches and the home directory are under a folder."""
    return {
        **os.environ,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "FINETRIEVE_ARGILLA_ENV": str(environment_path()),  # a minute's install, shared by all tests
        "ZENML_CONFIG_PATH": str(home / "zenml"),
        "ZENML_LOCAL_STORES_PATH": str(home / "zenml-stores"),
    }


@pytest.fixture
def own_home(tmp_path: Path) -> dict[str, str]:
    """An environment in which ZenML, caches and the home directory are under `tmp_path`."""
    home = tmp_path / "home"
    home.mkdir()
    return home_environment(home)


@pytest.fixture
def command(own_home: dict[str, str]) -> RunCommand:
    """Runs `python run.py ...` as a person would, in an environment of its own."""

    def run(
        *arguments: str | Path, root: Path = ROOT, timeout: float = 600, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(root / "run.py"), *map(str, arguments)],
            env={**own_home, **environment},
            cwd=root,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def called(own_home: dict[str, str]) -> RunCommand:
    """Runs the command line as a call in this process, for tests of what it says where nothing needs ZenML."""
    from click.testing import CliRunner

    from finetrieve.cli.main import main

    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        done = CliRunner().invoke(main, [str(argument) for argument in arguments], env={**own_home, **environment})
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    return run


# The same without the seconds in which libraries are imported and ZenML's store is made: for all but tests of a first start.


@pytest.fixture(scope="session")
def warm_python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmPython]:
    """Returns what runs Python in forks of a process that has imported ZenML, torch and distilabel."""
    with WarmPython(tmp_path_factory.mktemp("warm")) as python:
        yield python


@pytest.fixture(scope="session")
def new_zenml_store(warm_python: WarmPython, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns ZenML's store as its first use makes it; a test copies it to `ZENML_LOCAL_STORES_PATH`."""
    home = tmp_path_factory.mktemp("new-store")
    made = warm_python.run(["-c", "from zenml.client import Client; Client().zen_store"], home_environment(home), ROOT)
    assert made.returncode == 0, made.stderr
    return home / "zenml-stores"


@pytest.fixture
def warm_command(own_home: dict[str, str], warm_python: WarmPython, new_zenml_store: Path) -> RunCommand:
    """Runs `python run.py ...` as `command` does, at once."""
    shutil.copytree(new_zenml_store, own_home["ZENML_LOCAL_STORES_PATH"])

    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return warm_python.run([ROOT / "run.py", *arguments], {**own_home, **environment}, ROOT)

    return run


# The small base model's scores on our own questions, half of a training of one step: once for all tests.
_SCORE = """
import sys
from finetrieve.evaluation.guard import guard_questions
from finetrieve.retrieval.encoder import load_encoder
from finetrieve.training.lay_questions import choosing_questions
for questions in (guard_questions(), choosing_questions()):
    questions.base_ndcg(load_encoder(sys.argv[1]), sys.argv[1])
"""


@pytest.fixture(scope="session")
def base_scores(warm_python: WarmPython, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a cache in which these scores are."""
    home = tmp_path_factory.mktemp("base-scores")
    made = warm_python.run(["-c", _SCORE, write_small_base(home / "base")], home_environment(home), ROOT)
    assert made.returncode == 0, made.stderr
    return home / ".cache"


@pytest.fixture
def scored_base(base_scores: Path, own_home: dict[str, str]) -> None:
    """Puts these scores into the test's own cache."""
    shutil.copytree(base_scores, own_home["XDG_CACHE_HOME"])


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Returns a browser without a window."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("There is no Chromium here.")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=options)
        yield started
        started.close()


# A real Argilla server: its environment is made once and kept, its data is the test's own.


@pytest.fixture(scope="session")
def server_environment() -> Path:
    """Returns the interpreter of the server's environment, which is installed if it is not there."""
    try:
        return ensure_environment()
    except InputError as error:
        pytest.skip(f"Argilla's server cannot be installed here: {error}")


@pytest.fixture(scope="session")
def server_home(server_environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Returns the home of a server that all tests share, each with datasets of its own; it is stopped when they are done."""
    home = tmp_path_factory.mktemp("argilla")
    yield home
    stop_server(home)


@pytest.fixture(scope="module")
def server(server_home: Path) -> Connection:
    """Returns the connection of the server that all tests share, which runs, whatever another module did to it."""
    return connect_embedded(server_home)
