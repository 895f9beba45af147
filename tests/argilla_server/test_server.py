"""The embedded server as a person and as a pipeline meet it: up, down, and everything that can be wrong with the machine."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from benchmarks.annotation_server import (
    ANNOTATORS,
    Client,
    annotate,
    compare,
    make_dataset,
    make_records,
    push,
    push_and_submit,
)
from finetrieve.annotation.client import Connection
from finetrieve.argilla_server import account, ensure_server, server_status, stop_server
from finetrieve.argilla_server.environment import CONSTRAINTS
from finetrieve.argilla_server.probe import free_port
from tests.conftest import ROOT, RunCommand

pytestmark = pytest.mark.slow


@pytest.fixture
def home(server_environment: Path, tmp_path: Path) -> Iterator[Path]:
    """Returns a home of the test's own; its server is stopped."""
    yield tmp_path / "argilla"
    stop_server(tmp_path / "argilla")


@pytest.fixture(scope="module")
def stopped_home(server_environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a home with a dataset of 50 records whose server is stopped."""
    home = tmp_path_factory.mktemp("stopped") / "argilla"
    connection = ensure_server(home)
    client = Client(connection.url, connection.api_key)
    push(client, make_dataset(client, str(connection.workspace), "kept"), make_records(50))
    stop_server(home)
    return home


@pytest.fixture
def used_home(stopped_home: Path, home: Path) -> Path:
    """Returns a home of the test's own whose server ran before: it starts without making its database."""
    return Path(shutil.copytree(stopped_home, home))


def start_directly(python: Path, home: Path, port: int) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "finetrieve/argilla_server")}
    command = [str(python), "-m", "embedded", str(home), str(port)]
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_starts_it_says_how_to_sign_in_and_keeps_everything_over_a_restart(command: RunCommand, home: Path) -> None:
    port = free_port()
    up = command("argilla", "up", "--home", home, "--port", str(port))
    assert up.returncode == 0, up.stdout + up.stderr
    signed = account(home)
    assert f"http://127.0.0.1:{port}" in up.stdout
    assert signed.username in up.stdout
    assert signed.password in up.stdout
    assert signed.api_key not in up.stdout + up.stderr
    first = ensure_server(home)
    client = Client(first.url, first.api_key)
    dataset = make_dataset(client, str(first.workspace), "kept")
    push(client, dataset, make_records(5))
    token = httpx.post(
        f"{first.url}/api/v1/token", data={"username": signed.username, "password": signed.password}, trust_env=False
    )
    bearer = {"Authorization": f"Bearer {token.json()['access_token']}"}

    assert command("argilla", "down", "--home", home).stdout.strip().endswith("its data is kept.")
    assert "No Argilla server runs" in command("argilla", "status", "--home", home).stdout
    again = ensure_server(home)

    assert again == first, "the same address, key and workspace"
    assert Client(again.url, again.api_key).call("GET", f"/datasets/{dataset['id']}/progress")["total"] == 5
    me = httpx.get(f"{again.url}/api/v1/me", headers=bearer, trust_env=False)
    assert me.status_code == 200, "whoever is signed in stays so"
    assert f"runs at {again.url}" in command("argilla", "status", "--home", home).stdout


def test_only_the_user_can_read_what_it_keeps(server: Connection, server_home: Path) -> None:
    assert stat.S_IMODE(server_home.stat().st_mode) == 0o700
    for name in ("account.json", "argilla.db", "server.log"):
        assert stat.S_IMODE((server_home / name).stat().st_mode) == 0o600, name
    status = server_status(server_home)
    commandline = Path(f"/proc/{status.pid}/cmdline").read_text() + Path(f"/proc/{status.pid}/environ").read_text()
    assert server.api_key not in commandline


def test_it_answers_on_this_machine_only_and_to_no_default_account(server: Connection) -> None:
    port = server.url.rpartition(":")[2]
    listening = {
        line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"
    }  # hexadecimal address:port
    assert [address for address in listening if address.endswith(f":{int(port):04X}")] == [f"0100007F:{int(port):04X}"]
    for key in ("argilla.apikey", "owner.apikey", "admin.apikey"):
        answer = httpx.get(f"{server.url}/api/v1/me", headers={"X-Argilla-Api-Key": key}, trust_env=False)
        assert answer.status_code == 401
    for name, password in (("argilla", "12345678"), ("argilla", "1234"), ("owner", "12345678")):
        answer = httpx.post(f"{server.url}/api/v1/token", data={"username": name, "password": password}, trust_env=False)
        assert answer.status_code == 401


def test_another_person_gets_an_account_and_a_new_password_when_it_is_lost(
    command: RunCommand, server: Connection, server_home: Path
) -> None:
    def signs_in(password: str) -> bool:
        form = {"username": "ada", "password": password}
        return httpx.post(f"{server.url}/api/v1/token", data=form, trust_env=False).status_code == 201

    passwords = []
    for _ in range(2):
        printed = command("argilla", "annotator", "ada", "--home", server_home)
        assert printed.returncode == 0, printed.stderr
        passwords.append(printed.stdout.split("password:")[1].split()[0])
    assert [signs_in(password) for password in passwords] == [False, True]
    [ada] = [user for user in Client(server.url, server.api_key).call("GET", "/users")["items"] if user["username"] == "ada"]
    assert ada["role"] == "annotator"
    spaces = Client(server.url, ada["api_key"]).call("GET", "/me/workspaces")["items"]
    assert [space["name"] for space in spaces] == [server.workspace]
    for name in ("finetrieve", "a b", ""):
        assert command("argilla", "annotator", name, "--home", server_home).returncode == 2


def test_a_second_server_on_the_same_home_is_refused(server: Connection, server_home: Path, server_environment: Path) -> None:
    second = start_directly(server_environment, server_home, free_port())
    assert second.returncode == 2
    assert second.stderr.strip().splitlines()[-1].startswith(f"FATAL: another server already runs on {server_home}.")
    assert server_status(server_home).running


def test_many_callers_at_once_start_one_server(home: Path) -> None:
    with ThreadPoolExecutor(5) as pool:
        found = set(pool.map(ensure_server, [home] * 5))
    assert len(found) == 1


def test_a_taken_port_is_said_if_it_was_asked_for_and_avoided_if_not(used_home: Path, command: RunCommand) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused = command("argilla", "up", "--home", used_home, "--port", str(port))
        assert refused.returncode == 2
        assert refused.stderr.startswith(f"Error: Port {port} is taken by another program.")
        (used_home / "port").write_text(str(port))
        assert not ensure_server(used_home).url.endswith(f":{port}")


def test_another_server_on_the_port_of_one_that_was_killed_is_not_taken_for_it(
    server: Connection, server_home: Path, used_home: Path
) -> None:
    port = server.url.rpartition(":")[2]
    for name in ("running.json", "port"):  # as if it had been killed while it had the other one's port
        shutil.copy(server_home / name, used_home / name)
    (used_home / "running.json").write_text(json.dumps({"port": int(port), "instance": "another"}))
    with (used_home / "server.lock").open("r+") as dying, ThreadPoolExecutor(1) as pool:
        fcntl.flock(dying, fcntl.LOCK_EX)
        assert not server_status(used_home).running
        started = pool.submit(ensure_server, used_home)
        with pytest.raises(TimeoutError):
            started.result(timeout=1)
        fcntl.flock(dying, fcntl.LOCK_UN)
        found = started.result()
    assert found.url != server.url
    assert Client(found.url, found.api_key).call("GET", "/me")["username"] == "finetrieve"


@pytest.mark.parametrize("damage", ["garbage", "truncated", "newer"])
def test_a_database_that_cannot_be_used_is_one_line(used_home: Path, command: RunCommand, damage: str) -> None:
    database = used_home / "argilla.db"
    if damage == "garbage":
        database.write_bytes(b"This is no database." * 1000)
    elif damage == "truncated":
        database.write_bytes(database.read_bytes()[: database.stat().st_size // 2])
    else:
        with closing(sqlite3.connect(database)) as opened:
            opened.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
            opened.commit()
    up = command("argilla", "up", "--home", used_home)
    assert up.returncode == 2, up.stdout + up.stderr
    [line] = up.stderr.strip().splitlines()
    assert str(database) in line
    assert ("was made by another version of Argilla" if damage == "newer" else "is damaged") in line


def test_a_damaged_account_file_is_one_line_and_a_new_one_keeps_the_data(used_home: Path, command: RunCommand) -> None:
    old_key = account(used_home).api_key
    (used_home / "account.json").write_text("{")
    up = command("argilla", "up", "--home", used_home)
    assert (up.returncode, len(up.stderr.strip().splitlines())) == (2, 1)
    assert f"{used_home / 'account.json'} is damaged" in up.stderr
    (used_home / "account.json").unlink()
    after = ensure_server(used_home)
    assert after.api_key != old_key
    names = [dataset["name"] for dataset in Client(after.url, after.api_key).call("GET", "/me/datasets")["items"]]
    assert names == ["kept"]
    old = httpx.get(f"{after.url}/api/v1/me", headers={"X-Argilla-Api-Key": old_key}, trust_env=False)
    assert old.status_code == 401


def test_without_a_package_index_the_first_start_is_one_line(command: RunCommand, home: Path, tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/simple"
    up = command(
        "argilla", "up", "--home", home,
        FINETRIEVE_ARGILLA_ENV=str(tmp_path / "env"), PIP_INDEX_URL=nowhere, PIP_CONFIG_FILE=os.devnull, PIP_RETRIES="0",
    )  # fmt: skip
    assert up.returncode == 2, up.stdout + up.stderr
    [line] = up.stderr.strip().splitlines()
    assert line.startswith("Error: Cannot install the Argilla server:")
    assert "check the network" in line
    assert not (tmp_path / "env" / ".ready").exists()


def test_an_install_that_was_killed_is_redone(tmp_path: Path, server_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from finetrieve.argilla_server import environment

    few = tmp_path / "few.txt"
    few.write_text(next(line for line in CONSTRAINTS.read_text().splitlines() if line.startswith("six==")) + "\n")
    target = tmp_path / "env"
    (target / "lib").mkdir(parents=True)
    (target / "lib" / "half-written").touch()
    monkeypatch.setattr(environment, "CONSTRAINTS", few)
    monkeypatch.setenv("FINETRIEVE_ARGILLA_ENV", str(target))
    python = environment.ensure_environment()
    subprocess.run([python, "-c", "import six"], check=True)
    assert not (target / "lib" / "half-written").exists()


def test_what_was_acknowledged_is_there_after_a_kill(used_home: Path) -> None:
    connection = ensure_server(used_home)
    client = Client(connection.url, connection.api_key)
    dataset = make_dataset(client, str(connection.workspace), "faults")
    push(client, dataset, make_records(60))
    pushed, submitted = {record["external_id"] for record in make_records(60)}, set[str]()
    for number, seconds in enumerate((0.3, 0.7)):
        pid = server_status(used_home).pid
        assert pid is not None
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(push_and_submit, client, dataset, 1000 * (number + 1), pushed, submitted)
            with pytest.raises(TimeoutError):
                work.result(timeout=seconds)
            os.kill(pid, signal.SIGKILL)
            work.result()
        connection = ensure_server(used_home)
        client = Client(connection.url, connection.api_key)
    found = compare(client, dataset, pushed, submitted)
    assert found.pop("records acknowledged") > 60
    assert found.pop("responses acknowledged") > 0
    assert set(found.values()) == {0}, found


def test_six_annotators_pushes_and_searches_at_once_meet_no_server_error(server: Connection) -> None:
    owner = Client(server.url, server.api_key)
    dataset = make_dataset(owner, str(server.workspace), "crowd")
    push(owner, dataset, make_records(400))
    codes, _ = annotate(owner, server, dataset, "crowd", submissions=15)
    assert {code for code in codes if code >= 500} == set()
    assert codes[201] == ANNOTATORS * 15


FILL_THE_DISK = """
import json, sys
from pathlib import Path
from benchmarks.annotation_server import Client, all_records, make_dataset, make_records
from finetrieve.argilla_server import ensure_server, stop_server

home = Path(sys.argv[1]) / "argilla"
connection = ensure_server(home)
client = Client(connection.url, connection.api_key)
dataset = make_dataset(client, connection.workspace, "full")
kept = 0
for first in range(0, 100_000, 50):
    answer = client.http.put(f"/datasets/{dataset['id']}/records/bulk", json={"items": make_records(50, first)})
    if answer.status_code != 200:
        break
    kept += 50
print(json.dumps([answer.status_code, answer.json(), kept, sum(1 for _ in all_records(client, dataset))]))
stop_server(home)
"""


def test_a_full_disk_is_said_and_leaves_what_was_acknowledged(server_environment: Path, tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o size=24m tmpfs {tmp_path}"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("A small file system cannot be mounted here.")
    command = ["unshare", "-rm", "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, "-c", FILL_THE_DISK, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    status, said, acknowledged, stored = json.loads(done.stdout.strip().splitlines()[-1])
    assert status == 507
    assert said["detail"].startswith("The disk of the Argilla server is full.")
    assert acknowledged == stored > 0


def test_the_help_of_the_command_says_what_there_is(command: RunCommand) -> None:
    shown = command("argilla", "--help").stdout
    assert all(name in shown for name in ("up", "down", "status", "url", "annotator"))
