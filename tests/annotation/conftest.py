"""A real Argilla server for the tests: its environment is made once and kept, its data is the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from finetrieve.annotation.connection import Connection
from finetrieve.argilla_server import ensure_server, stop_server
from finetrieve.argilla_server.environment import ensure_environment
from finetrieve.core.errors import InputError


@pytest.fixture(scope="session")
def server_environment() -> Path:
    """Returns the interpreter of the server's environment, which is installed if it is not there."""
    try:
        return ensure_environment()
    except InputError as error:
        pytest.skip(f"Argilla's server cannot be installed here: {error}")


@pytest.fixture(scope="module")
def server_home(server_environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Returns the home of a server that the tests of a module share; it is stopped when they are done."""
    home = tmp_path_factory.mktemp("argilla")
    yield home
    stop_server(home)


@pytest.fixture(scope="module")
def server(server_home: Path) -> Connection:
    """Returns the connection of a running embedded server, shared by the tests of a module."""
    return ensure_server(server_home)
