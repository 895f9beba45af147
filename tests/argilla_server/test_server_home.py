"""The folder of the embedded server, without a server."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from finetrieve.annotation.client import Connection
from finetrieve.annotation.connection import resolve
from finetrieve.annotation.settings import AnnotationSettings
from finetrieve.argilla_server import environment
from finetrieve.argilla_server.home import default_home, open_home, read_secrets
from finetrieve.core.errors import InputError
from tests.conftest import RunCommand


def test_every_home_has_an_account_of_its_own_that_stays_and_that_only_the_user_can_read(tmp_path: Path) -> None:
    first, second = (read_secrets(open_home(tmp_path / name)) for name in ("first", "second"))
    assert read_secrets(open_home(tmp_path / "first")) == first
    assert {first.password, first.api_key, first.auth_secret}.isdisjoint({second.password, second.api_key, second.auth_secret})
    assert min(len(first.password), len(first.api_key), len(first.auth_secret)) >= 16
    assert stat.S_IMODE((tmp_path / "first").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "first" / "account.json").stat().st_mode) == 0o600


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    signed = read_secrets(open_home(tmp_path))
    shown = repr(signed) + repr(Connection("http://127.0.0.1:1", signed.api_key, None, True))
    assert not any(secret in shown for secret in (signed.password, signed.api_key, signed.auth_secret))


@pytest.mark.parametrize("content", ["{", "[]", '{"username": "x"}', ""])
def test_a_damaged_account_file_says_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "account.json").write_text(content)
    with pytest.raises(InputError, match=r"is damaged.*Delete that file and start again"):
        read_secrets(open_home(tmp_path))


def test_a_home_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"Cannot use .*FINETRIEVE_ARGILLA_HOME"):
        open_home(tmp_path / "file")
    with pytest.raises(InputError, match="cannot lie in a path with"):
        open_home(tmp_path / "100%")


def test_damaged_notes_of_a_server_that_is_gone_are_no_server(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    for name, content in (("running.json", "nonsense"), ("server.lock", "x"), ("port", "99999999")):
        (tmp_path / name).write_text(content)
    assert (home.read_running(), home.last_port(), home.held(), home.holder()) == (None, None, False, None)


def test_the_home_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FINETRIEVE_ARGILLA_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_home() == tmp_path / "finetrieve" / "argilla"
    monkeypatch.setenv("FINETRIEVE_ARGILLA_HOME", str(tmp_path / "mine"))
    assert default_home() == tmp_path / "mine"


def test_another_python_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "SUPPORTED", ((3, 99),))
    with pytest.raises(InputError, match=r"needs CPython 3\.11 or 3\.12.*ARGILLA_API_URL"):
        environment.ensure_environment()


def test_the_environment_is_named_after_what_is_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FINETRIEVE_ARGILLA_ENV", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = environment.environment_path()
    changed = tmp_path / "constraints.txt"
    changed.write_text(environment.CONSTRAINTS.read_text() + "\n")
    monkeypatch.setattr(environment, "CONSTRAINTS", changed)
    assert before.parent == environment.environment_path().parent == tmp_path / "finetrieve"
    assert before != environment.environment_path()


@pytest.mark.parametrize(
    ("complaint", "said"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "is full. It needs about"),
        (
            "ERROR: Could not find a version that satisfies the requirement aiofiles==24.1.0",
            "requirement aiofiles.*check the network",
        ),
        ("", "pip failed.*check the network"),
    ],
)
def test_a_failed_install_says_why_in_one_line(tmp_path: Path, complaint: str, said: str) -> None:
    log = tmp_path / "pip.log"
    log.write_text(
        f"Collecting aiofiles\n{complaint}\nERROR: something that follows from it\n" if complaint else "Collecting x\n"
    )
    line = environment.explain_failure(tmp_path / "env", log)
    assert re.search(said, line)
    assert "\n" not in line


def test_every_pin_is_exact_and_argilla_is_the_one_we_know() -> None:
    pins = [line for line in environment.CONSTRAINTS.read_text().splitlines() if line]
    assert all(line.count("==") == 1 for line in pins)
    assert "argilla-server==2.8.0" in pins


@pytest.fixture
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("ARGILLA_")]:
        monkeypatch.delenv(name)
    return monkeypatch


def test_the_command_starts_nothing_when_the_environment_names_a_server(command: RunCommand, tmp_path: Path) -> None:
    for name in ("up", "url", "status"):
        done = command("argilla", name, ARGILLA_URL="https://argilla.example.com")
        assert "https://argilla.example.com, and the pipelines use that server" in done.stdout + done.stderr
        assert done.returncode == (2 if name == "up" else 0)


@pytest.mark.parametrize("variable", ["ARGILLA_API_URL", "ARGILLA_URL"])
def test_a_server_that_the_environment_names_is_used_and_nothing_is_started(
    nothing_named: pytest.MonkeyPatch, variable: str
) -> None:
    nothing_named.setenv(variable, "https://argilla.example.com/")
    nothing_named.setenv("ARGILLA_API_KEY", "secret")
    assert resolve(AnnotationSettings()) == Connection("https://argilla.example.com", "secret", None, embedded=False)


def test_the_configuration_comes_before_the_environment(nothing_named: pytest.MonkeyPatch) -> None:
    nothing_named.setenv("ARGILLA_API_URL", "https://other.example.com")
    nothing_named.setenv("MY_KEY", "mine")
    settings = AnnotationSettings(url="http://127.0.0.1:6900", api_key_env="MY_KEY", workspace="team")
    assert resolve(settings) == Connection("http://127.0.0.1:6900", "mine", "team", embedded=False)


def test_a_missing_key_and_an_address_that_is_none_are_said(nothing_named: pytest.MonkeyPatch) -> None:
    nothing_named.setenv("ARGILLA_API_URL", "https://argilla.example.com")
    with pytest.raises(InputError, match="the environment variable ARGILLA_API_KEY is empty"):
        resolve(AnnotationSettings())
    nothing_named.setenv("ARGILLA_API_KEY", "secret")
    for address, said in (("argilla.example.com", "is no web address"), ("https://me:pw@host", "holds a password")):
        nothing_named.setenv("ARGILLA_API_URL", address)
        with pytest.raises(InputError, match=said) as refused:
            resolve(AnnotationSettings())
        assert "pw" not in str(refused.value)
