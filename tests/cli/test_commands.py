from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.shell_completion import get_completion_class
from click.testing import CliRunner, Result

from finetrieve.cli.commands import COMMANDS
from finetrieve.cli.main import main
from finetrieve.core.errors import InputError
from finetrieve.core.logging import set_level
from tests.conftest import ROOT

ERRORS: dict[str, type[BaseException]] = {"mistake": InputError, "fault": RuntimeError, "interrupt": KeyboardInterrupt}


class DatabaseLockedError(Exception):
    """What a library says whose cleaning up fails after Ctrl-C."""


@click.command()
@click.argument("kind")
def fail(kind: str) -> None:
    """Raise an error of a kind."""
    if kind == "locked":
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as stop:
            raise DatabaseLockedError("database is locked") from stop
    raise ERRORS[kind]("the reason")


@pytest.fixture(autouse=True)
def failing_command(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(COMMANDS, "fail", ("", f"{__name__}:fail"))
    at_interrupt = signal.getsignal(signal.SIGINT)
    yield
    set_level(logging.INFO)
    signal.signal(signal.SIGINT, at_interrupt)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize(
    ("kind", "code", "line"),
    [
        ("mistake", 2, "Error: the reason"),
        ("fault", 1, "Failed: RuntimeError: the reason (FINETRIEVE_DEBUG=1 shows the traceback.)"),
        ("locked", 1, "\nInterrupted. Nothing is lost: run the same command again to pick up where it was."),
        ("interrupt", 1, "\nInterrupted. Nothing is lost: run the same command again to pick up where it was."),
    ],
)
def test_an_error_of_any_command_is_one_line_and_an_exit_code(kind: str, code: int, line: str) -> None:
    done = run("fail", kind)
    assert (done.exit_code, done.stdout, done.stderr) == (code, "", f"{line}\n")


_INTERRUPTED_TWICE = """
import atexit, os, signal
atexit.register(os.kill, os.getpid(), signal.SIGINT)
from finetrieve.cli.commands import COMMANDS
from finetrieve.cli.main import main
COMMANDS["fail"] = ("", "tests.cli.test_commands:fail")
main(["fail", "interrupt"])
"""


def test_a_second_interrupt_while_python_ends_shows_no_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", _INTERRUPTED_TWICE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == "\nInterrupted. Nothing is lost: run the same command again to pick up where it was.\n"
    assert done.returncode == -signal.SIGINT


def test_verbose_shows_the_traceback_of_a_fault_as_well() -> None:
    done = run("-v", "fail", "fault")
    assert done.exit_code == 1 and done.stderr.startswith("Failed: RuntimeError: the reason")
    assert "Traceback" in done.stdout and 'raise ERRORS[kind]("the reason")' in done.stdout


def test_verbose_and_quiet_together_are_refused() -> None:
    done = run("-v", "-q", "--list")
    assert done.exit_code == 2 and "--verbose and --quiet do not go together" in done.stderr


@pytest.mark.parametrize(
    ("typed", "start", "offered"),
    [
        ([], "mo", {"models"}),
        (["--pipeline"], "re", {"retrain"}),
        (["models"], "", {"list", "compare", "promote", "demote", "rollback", "export", "show"}),
        (["ask"], "--s", {"--serve"}),
    ],
)
def test_the_shell_is_offered_commands_options_and_pipelines(typed: list[str], start: str, offered: set[str]) -> None:
    completion = get_completion_class("bash")
    assert completion is not None
    found = completion(main, {}, "finetrieve", "_FINETRIEVE_COMPLETE").get_completions(typed, start)
    assert {item.value for item in found} == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_asks_the_command_itself(shell: str) -> None:
    done = run("completion", shell)
    assert done.exit_code == 0 and f"_FINETRIEVE_COMPLETE={shell}_complete" in done.stdout


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (("--model", "x", "models"), "--model is an option of 'models' and stands behind it: python run.py models --model ..."),
        (("--model=x", "ask", "hello"), "--model is an option of 'ask' and stands behind it: python run.py ask --model ..."),
        (("--json", "models", "list"), "--json is an option of 'models' and stands behind it: python run.py models --json ..."),
        (
            ("--config", "x.yaml", "doctor"),
            "--config is an option of 'doctor' and stands behind it: python run.py doctor --config",
        ),
        (("--pipeline", "retrain", "ask", "hello"), "--pipeline says how a pipeline is run, and 'ask' runs none."),
        (("--no-cache", "models"), "--no-cache says how a pipeline is run, and 'models' runs none."),
    ],
)
def test_an_option_before_a_command_is_never_lost_in_silence(typed: tuple[str, ...], line: str) -> None:
    done = run(*typed)
    assert done.exit_code == 2 and line in " ".join(done.stderr.split())


def test_an_option_that_no_command_has_keeps_the_nearest_name() -> None:
    done = run("--modell", "x", "completion", "bash")
    assert done.exit_code == 2 and "No such option '--modell'" in done.stderr


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (("--modell", "x"), "No such option '--modell'. Did you mean '--base-model'?"),
        (("modles",), "Unknown command 'modles'. Did you mean 'models'?"),
        (("models", "lst"), "No such command 'lst'. Did you mean 'list'?"),
        (("models", "list", "--jsn"), "No such option '--jsn'. Did you mean '--json'?"),
        (("answers", "frob"), "No such command 'frob'. `main answers --help` shows what it takes."),
        (("ask", "q", "-k", "99"), "Invalid value for '-k': 99 is not in the range 1<=x<=50. `main ask --help` shows"),
        (("completion",), "Missing argument '{bash|zsh|fish}'. Choose from: bash, zsh, fish. `main completion --help` shows"),
        (("compare", "3"), "Missing argument 'MODEL_B'. `main compare --help` shows what it takes."),
        (("doctor", "now"), "Got unexpected extra argument (now). `main doctor --help` shows what it takes."),
        (("--docs",), "Option '--docs' requires an argument."),
        ((), "Say what to run: --pipeline NAME."),
    ],
)
def test_a_mistyped_command_line_is_answered_in_one_line(typed: tuple[str, ...], line: str) -> None:
    done = run(*typed)
    assert (done.exit_code, done.stdout) == (2, "")
    [said] = done.stderr.splitlines()
    assert said.startswith(f"Error: {line}")


def test_a_group_without_a_command_still_prints_its_help() -> None:
    assert "show" in run("answers").stderr and len(run("answers").stderr.splitlines()) > 5


@pytest.mark.parametrize("option", ["--config", "--docs", "--out", "--eval-set", "--pairs", "--queries", "--base-model"])
def test_an_empty_value_is_not_taken_for_the_working_directory(option: str) -> None:
    done = run("--pipeline", "retrain", option, "", "--dry-run")
    assert done.exit_code == 2 and f"Error: {option} is empty, perhaps because a variable is not set." in done.stderr


def test_a_second_folder_of_documents_does_not_silently_replace_the_first() -> None:
    done = run("--pipeline", "retrain", "--docs", "manuals", "--docs", "tickets", "--dry-run")
    assert done.exit_code == 2 and "Error: --docs is given 2 times: manuals, tickets. Give it once." in done.stderr


@pytest.mark.parametrize("words", [("how", "do", "I", "start"), ("how do I start",), ("how do", "I start")])
def test_a_question_needs_no_quotation_marks(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("finetrieve.cli.ask._answer", lambda question, *_: asked.append(question))
    assert run("ask", *words, "-k", "3").exit_code == 0
    assert asked == ["how do I start"]
