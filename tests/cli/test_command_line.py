from __future__ import annotations

import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, RunCommand

SECONDS = 4.0
"""Well under two on an idle machine; the tests run beside others."""


def folder_of_images(path: Path) -> Path:
    path.mkdir()
    (path / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return path


def empty_folder(path: Path) -> Path:
    path.mkdir()
    return path


def folder_of_one_page(path: Path) -> Path:
    path.mkdir()
    (path / "page.md").write_text("# Page\n\nTo start the machine, press the green button on its left side.")
    return path


def file_of(name: str, text: str) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.mkdir()
        (path / name).write_text(text)
        return path / name

    return make


BAD_DOCS: list[tuple[Callable[[Path], Path], str]] = [
    (lambda path: path, "No such file or folder"),
    (empty_folder, "No files in the folder"),
    (folder_of_images, ".png"),
    (file_of("docs.jsonl", '{"text": "fine"}\n{"text": \n'), "line 2"),
    (file_of("docs.csv", "name,value\na,1\n"), "column"),
    (file_of("docs.jsonl", '{"_id": "a", "text": "x y z"}\n{"_id": "a", "text": "p q r"}\n'), "'a'"),
    (file_of("page.md", ""), "page.md"),
]


@pytest.mark.parametrize(("make", "expected"), BAD_DOCS)
def test_documents_that_cannot_be_read_are_answered_in_one_line(
    command: RunCommand, tmp_path: Path, make: Callable[[Path], Path], expected: str
) -> None:
    started = time.monotonic()
    result = command("--pipeline", "retrain", "--docs", make(tmp_path / "docs"))
    assert time.monotonic() - started < SECONDS
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert line.startswith("Error: ") and expected in line
    assert result.stdout == ""


def beir(folder: Path, qrels: str) -> Path:
    (folder / "qrels").mkdir(parents=True)
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q1", "text": "how do I start"}) + "\n")
    (folder / "qrels" / "test.tsv").write_text(qrels)
    return folder


@pytest.mark.parametrize(
    ("qrels", "expected"),
    [
        ("query-id\tcorpus-id\tscore\nq1\tstrat.md\t1\n", "start.md"),
        ("query-id\tcorpus-id\tscore\nq9\tstart.md\t1\n", "'q9'"),
        ("query-id\tcorpus-id\tscore\n", "test.tsv"),
    ],
)
def test_judgements_that_name_unknown_ids_are_answered_in_one_line(
    command: RunCommand, tmp_path: Path, qrels: str, expected: str
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "start.md").write_text("# Start\n\nTo start, run it.")
    result = command("--pipeline", "retrain", "--docs", docs, "--eval-set", beir(tmp_path / "questions", qrels))
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert expected in line


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--pipeline", "retrian"), "Did you mean 'retrain'?"),
        (("--pipeline", "retrain", "--config", "/no/such.yaml"), "/no/such.yaml"),
        (("--pipeline", "retrain", "--out", "/dev/null/x"), "--out"),
        (("--pipeline", "retrain", "--out", "/proc/x"), "no folder can be made in '/proc'"),
        (("--pipeline", "retrain", "--out", f"/{'x' * 300}"), "cannot be a folder: File name too long"),
    ],
)
def test_a_mistyped_command_is_answered_in_one_line(command: RunCommand, arguments: tuple[str, ...], expected: str) -> None:
    result = command(*arguments)
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert expected in line


def test_a_broken_model_directory_is_answered_in_one_line(command: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{")
    (tmp_path / "config.yaml").write_text("source: {name: package, package: click}\ntraining: {base_model: model}\n")
    result = command("--pipeline", "retrain", "--config", tmp_path / "config.yaml")
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert "model" in line and "Traceback" not in line


@pytest.mark.slow
def test_where_the_demo_cannot_be_fetched_the_offline_demo_takes_its_place(command: RunCommand) -> None:
    result = command("--pipeline", "retrain", "--dry-run", PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert result.returncode == 0
    [line] = result.stderr.splitlines()
    assert "beets 2.13.1 is not in the cache and cannot be fetched" in line
    assert "Going on with the offline demo, configs/demo-offline.yaml." in line


def test_documents_that_a_given_configuration_names_must_be_in_reach(command: RunCommand) -> None:
    given = ("--config", ROOT / "configs" / "default.yaml")
    result = command("--pipeline", "retrain", *given, PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert "no connection to http://127.0.0.1:9/simple" in line and "offline demo" not in line


def test_a_site_or_repository_out_of_reach_is_named_and_no_demo_takes_its_place(command: RunCommand) -> None:
    for docs in ("http://127.0.0.1:9/docs/", "git+http://127.0.0.1:9/acme/motor"):
        result = command("--pipeline", "generate", "--dry-run", "--docs", docs, NO_PROXY="127.0.0.1")
        assert result.returncode == 2
        [line] = result.stderr.splitlines()
        assert line.startswith("Error: ") and "127.0.0.1:9" in line and "demo" not in line


def test_help_and_list_answer_at_once_without_zenml_or_torch(command: RunCommand) -> None:
    for option in ("--help", "--list"):
        started = time.monotonic()
        result = command(option, PYTHONPROFILEIMPORTTIME="1")
        assert time.monotonic() - started < SECONDS
        assert result.returncode == 0
        imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
        assert not {"zenml", "torch", "sentence_transformers", "distilabel"} & imported


def test_list_names_what_a_configuration_can_use(command: RunCommand) -> None:
    listed = command("--list").stdout
    for name in (
        "retrain",
        "folder",
        "files",
        "package",
        "pypi",
        "web",
        "git",
        "hub",
        "rules",
        "round_trip",
        "cached_mnrl",
        "hybrid_finetuned",
    ):
        assert any(line.split()[:1] == [name] for line in listed.splitlines()), name


def test_verbose_shows_details_and_quiet_the_result_only(command: RunCommand, tmp_path: Path) -> None:
    docs = folder_of_one_page(tmp_path / "docs")
    run = ("--pipeline", "generate", "--dry-run", "--docs", docs)
    usual, verbose, quiet = command(*run), command("-v", *run), command("-q", *run)
    assert usual.returncode == verbose.returncode == quiet.returncode == 0
    details = [line for line in verbose.stdout.splitlines() if line.startswith("  finetrieve.")]
    assert any(line.startswith("  finetrieve.app.preflight: fingerprints: ") for line in details)
    assert (
        usual.stdout
        == quiet.stdout
        == "".join(line for line in verbose.stdout.splitlines(keepends=True) if line.rstrip() not in details)
    )


@pytest.mark.slow
def test_the_installed_command_works_from_any_folder(own_home: dict[str, str], tmp_path: Path) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts["finetrieve"].partition(":")
    folder_of_one_page(tmp_path / "docs")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from {module} import {function}; {function}()",
            "--pipeline",
            "generate",
            "--dry-run",
            "--docs",
            "docs",
        ],
        cwd=tmp_path,
        env={**own_home, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Dry run: 1 chunk;")


def test_a_pipeline_given_as_a_command_is_told_how_it_is_run(command: RunCommand) -> None:
    done = command("retrain")
    assert done.returncode == 2
    assert "run it with `python run.py --pipeline retrain`" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--pipeline", "retrain", "--schedule", "0 3 * *"), "has 4 of the 5 fields"),
        (("--pipeline", "evaluate", "--schedule", "0 3 * * 1"), "Choose one of: generate, retrain."),
        (("--pipeline", "retrain", "--schedule", "0 3 * * 1", "--out", "results"), "--out and --schedule do not go together"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_before_zenml_is_imported(
    command: RunCommand, arguments: tuple[str, ...], expected: str
) -> None:
    result = command(*arguments, PYTHONPROFILEIMPORTTIME="1")
    lines = [line for line in result.stderr.splitlines() if not line.startswith("import time:")]
    assert result.returncode == 2
    assert len(lines) == 1 and expected in lines[0]
    assert not any(line.rpartition("|")[2].strip() == "zenml" for line in result.stderr.splitlines())


@pytest.mark.slow
def test_a_stack_that_cannot_schedule_says_which_can_and_how_to_get_there(warm_command: RunCommand) -> None:
    result = warm_command("--pipeline", "retrain", "--schedule", "0 3 * * 1")
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert "orchestrator is of the kind 'local'" in line
    assert "Kubernetes, Airflow, Vertex AI and SageMaker can" in line and "`python run.py stack`" in line


@pytest.mark.slow
def test_without_schedules_the_list_says_how_to_make_one(warm_command: RunCommand) -> None:
    result = warm_command("schedules")
    assert result.returncode == 0 and "There are no schedules." in result.stdout
    unknown = warm_command("schedules", "pause", "weekly")
    assert unknown.returncode == 2
    assert unknown.stderr.splitlines() == ["Error: There is no schedule 'weekly', nor any other. --schedule makes one."]
