"""ZenML's store at a first start that is cut off, or that another one meets."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from finetrieve.app.zenml_store import ready_store
from tests.conftest import ROOT, RunCommand

_READY = "from finetrieve.app.zenml_environment import quiet_zenml; quiet_zenml()\n"
_READY += "from finetrieve.app.zenml_store import ready_store; ready_store()"


def cut_off(home: dict[str, str]) -> Path:
    """Writes what ZenML leaves where its first start ends between the tables and their version."""
    path = Path(home["ZENML_LOCAL_STORES_PATH"]) / "default_zen_store" / "zenml.db"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as database, database:
        for table in ("stack", "server_settings", "pipeline_run"):
            database.execute(f"CREATE TABLE {table} (id TEXT)")
        database.execute("INSERT INTO server_settings VALUES ('1')")
    return path


def test_a_first_start_that_was_cut_off_is_made_up_for(command: RunCommand, own_home: dict[str, str]) -> None:
    cut_off(own_home)
    found = command("models")
    assert found.returncode == 0 and "No model" in found.stdout, found.stdout + found.stderr


@pytest.mark.slow
def test_of_two_first_starts_at_once_the_second_waits(own_home: dict[str, str]) -> None:
    both = [subprocess.Popen([sys.executable, "-c", _READY], cwd=ROOT, env=own_home, stderr=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said


@pytest.mark.slow
def test_a_store_with_somebodys_work_stays_whatever_its_version(
    own_home: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = cut_off(own_home)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO pipeline_run VALUES ('1')")
    done = subprocess.run([sys.executable, "-c", _READY], cwd=ROOT, env=own_home, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "has never been migrated" in done.stderr
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM pipeline_run").fetchone() == (1,)


def test_none_is_made_for_a_command_that_may_do_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ZENML_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ZENML_CONFIG_PATH", str(tmp_path))
    ready_store(make=False)
    assert not list(tmp_path.iterdir())
