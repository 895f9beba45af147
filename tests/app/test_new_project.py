"""`python run.py init`: the files to start from with one's own documents."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from finetrieve.app.config import DEFAULT_CONFIG, Config, load_config, plain
from finetrieve.app.new_project import CONFIG, QUESTIONS
from finetrieve.cli.main import main
from tests.conftest import ROOT

PAGE = "# The pump\n\nTo open the pump, press the green button on its left side until the lamp is off.\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with documents, which is the working directory."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "pump.md").write_text(PAGE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.slow
def test_without_a_terminal_the_defaults_are_taken_and_said_and_a_dry_run_passes(place: Path) -> None:
    done = run("init", "mine")
    assert done.exit_code == 0, done.output
    assert "documents: docs, queries: rules, review: no; no terminal, so nothing was asked." in done.stdout
    assert (place / "mine" / QUESTIONS).read_text() == "question,page\n"
    assert "results/\n" in (place / "mine" / ".gitignore").read_text()

    config = load_config(place / "mine" / CONFIG)
    demo = yaml.safe_load(DEFAULT_CONFIG.read_text())
    given = plain(config)
    assert Path(given["source"]["path"]) == place / "docs" and given["evaluation"]["eval_sets"] == []
    demo["evaluation"]["eval_sets"] = []
    wanted = plain(Config.model_validate(demo))
    assert [key for key in wanted if key != "source" and given[key] != wanted[key]] == []

    dry = run("--pipeline", "retrain", "--config", f"mine/{CONFIG}", "--dry-run")
    assert dry.exit_code == 0 and dry.stdout.startswith("Dry run: 1 chunk;"), dry.output


def test_nothing_is_overwritten_and_a_gitignore_of_ones_own_stays(place: Path) -> None:
    (place / ".gitignore").write_text("mine\n")
    assert run("init").exit_code == 0
    assert (place / ".gitignore").read_text() == "mine\n"
    (place / QUESTIONS).write_text("question,page\nHow?,pump.md\n")
    again = run("init")
    assert again.exit_code == 2 and f"{CONFIG} and {QUESTIONS} would be overwritten" in again.stderr
    assert (place / QUESTIONS).read_text().endswith("pump.md\n")


def test_the_commands_in_the_file_can_be_pasted_where_a_path_has_a_space(place: Path) -> None:
    done = run("init", "my project")
    assert done.exit_code == 0, done.output
    first_lines = (place / "my project" / CONFIG).read_text().splitlines()[1:3]
    commands = [shlex.split(line.partition(":")[2]) for line in first_lines]
    assert [command[command.index("--config") + 1] for command in commands] == [f"my project/{CONFIG}"] * 2
    assert commands[1][-1] == "my project/results"


def test_an_llm_and_a_review_are_written_with_every_key(place: Path) -> None:
    done = run("init", "--queries", "ollama/qwen3:8b", "--review", "--name", "handbook")
    assert done.exit_code == 0, done.output
    config = load_config(place / CONFIG)
    [recipe] = plain(config)["generation"]["recipes"]
    assert (recipe["provider"], recipe["model"], recipe["price"]) == ("ollama", "qwen3:8b", None)
    assert config.generation.budget.money is None and config.reviewing is not None and config.model_name == "handbook"
    assert "what becomes of the queries that people add" in (place / CONFIG).read_text()
    (place / CONFIG).unlink()
    (place / QUESTIONS).unlink()
    assert run("init", "--queries", "openai/gpt-4o-mini").exit_code == 0
    assert load_config(place / CONFIG).generation.budget.money == 5.0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--docs", "none"), "No such file or folder"),
        (("--queries", "opnai/gpt"), "Did you mean 'openai'?"),
        (("--queries", "gpt"), "PROVIDER/MODEL"),
        (("--name", "a b"), "name: "),
        (("docs/pump.md",), "is a file"),
    ],
)
def test_an_answer_that_cannot_be_used_is_said_and_nothing_is_written(
    place: Path, arguments: tuple[str, ...], expected: str
) -> None:
    done = run("init", *arguments)
    assert done.exit_code == 2 and expected in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (place / CONFIG).exists()


def test_a_folder_that_was_made_for_nothing_is_taken_away_again(place: Path) -> None:
    assert run("init", "mine/new", "--docs", "docs", "--name", "a b").exit_code == 2
    assert not (place / "mine" / "new").exists()


@pytest.mark.slow
def test_in_a_terminal_four_questions_are_asked_and_a_wrong_answer_is_asked_again(place: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "run.py"), "init", "mine"]
    with subprocess.Popen(command, cwd=place, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as asked:
        os.close(theirs)
        os.write(ours, b"none\ndocs\nour hand/book\nhandbook\n\ny\n")
        shown = b""
        while b"Run it:" not in shown:
            shown += os.read(ours, 4096)
        assert asked.wait(120) == 0
    os.close(ours)
    assert b"No such file or folder: 'none'" in shown and b"'our hand/book' is no name" in shown
    config = load_config(place / "mine" / CONFIG)
    assert config.model_name == "handbook" and config.reviewing is not None and not config.generation.recipes[0].asks_llm
