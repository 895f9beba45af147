"""The main job, whole, on a corpus small enough for a test; real parts throughout."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, RunCommand
from tests.small_base import write_small_base
from tests.warm_python import WarmPython

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("scored_base")]

STEPS = {
    "load_chunks",
    "generate_queries",
    "curate_queries",
    "split_queries",
    "train_model",
    "evaluate_model",
    "build_report",
    "find_production",
    "compare_with_production",
    "promote",
}
ALWAYS = {"find_production", "promote"}
"""They ask the registry and tell it, so they never come from the cache."""
THINGS = ["pump", "valve", "filter", "heater", "sensor", "motor", "lamp", "timer", "door", "fan", "tray", "tank"]


def write_docs(folder: Path) -> Path:
    folder.mkdir()
    for number, thing in enumerate(THINGS):
        (folder / f"{thing}.md").write_text(
            f"# The {thing}\n\nThe {thing} is a part that keeps the machine number {number} running.\n\n"
            f"## Replacing the {thing}\n\nTo replace the {thing}, switch the machine off and open cover {number}. "
            f"You can order a new {thing} from the service desk.\n\n"
            f"## Cleaning the {thing}\n\nUse a dry cloth to clean the {thing}. If the {thing} makes a noise, call the service.\n"
        )
    return folder


def write_config(path: Path, *, small: bool = False, **evaluation: object) -> Path:
    """Writes a configuration for a training of one step; its base model is the embedded one, or a small one, written beside it."""
    base_model = str(write_small_base(path.parent / "base")) if small else "embedded"
    settings = {
        "source": {"name": "folder", "path": "unused"},
        "filters": [{"name": "duplicates"}, {"name": "round_trip", "top_k": 10}],
        "split": {"dev": 0.2, "test": 0.2},
        "training": {
            "base_model": base_model,
            "max_steps": 1,
            "warmup": 0.0,
            "batch_size": 16,
            "lay_questions": 4,
            "max_tokens": 64,
            "evaluations": 1,
            "average": [0.3],
        },
        "evaluation": {"bootstrap_samples": 200, "bill": False, **evaluation},
    }
    path.write_text(yaml.safe_dump(settings))
    return path


def ran(output: str) -> set[str]:
    """Returns the steps that a run did not take from the cache."""
    found = re.search(r"from the cache \(([^)]*)\)", output)
    return STEPS - set(found.group(1).split(", ") if found else [])


@pytest.mark.slow(minutes=2)
def test_finetune_and_evaluate_go_on_from_what_earlier_runs_made(warm_command: RunCommand, tmp_path: Path) -> None:
    docs, config = write_docs(tmp_path / "docs"), write_config(tmp_path / "config.yaml", small=True)
    common = ("--config", config, "--docs", docs)

    early = warm_command("--pipeline", "finetune", *common)
    assert early.returncode == 2
    assert early.stderr.splitlines() == [
        "Error: No queries were generated for these documents yet. Run --pipeline generate (or retrain) on them first."
    ]
    for pipeline in ("generate", "finetune"):
        result = warm_command("--pipeline", pipeline, *common)
        assert result.returncode == 0, result.stdout + result.stderr

    questions = tmp_path / "questions"
    (questions / "qrels").mkdir(parents=True)
    (questions / "queries.jsonl").write_text('{"_id": "q1", "text": "my pump is broken, what now?"}\n')
    (questions / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tpump.md\t1\n")
    result = warm_command("--pipeline", "evaluate", *common, "--eval-set", questions, "--out", tmp_path / "out")
    assert result.returncode == 0, result.stdout + result.stderr
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["eval_sets"]["questions"]["kind"] == "human"
    assert metrics["eval_sets"]["questions"]["n_documents"] == len(THINGS)


def wait_for_training(home: Path) -> None:
    """Returns once a run in a home is training: its folder of checkpoints is locked."""
    end = time.monotonic() + 300
    while not any(home.rglob("run-*/lock")):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_run_that_was_interrupted_says_so_and_keeps_finished_steps(
    warm_command: RunCommand, warm_python: WarmPython, own_home: dict[str, str], tmp_path: Path
) -> None:
    docs, config = write_docs(tmp_path / "docs"), write_config(tmp_path / "config.yaml", small=True)
    arguments = ["--pipeline", "retrain", "--config", config, "--docs", docs]
    with warm_python.running([ROOT / "run.py", *arguments], own_home, ROOT, tmp_path / "errors") as (process, output):
        assert any(line.rstrip().endswith("pairs") for line in output)
        wait_for_training(Path(own_home["HOME"]))
        os.kill(process.pid, signal.SIGINT)
        assert process.wait() == 1
    errors = (tmp_path / "errors").read_text()
    assert "Interrupted. Nothing is lost" in errors and "Traceback" not in errors
    again = warm_command(*arguments)
    assert again.returncode == 0, again.stderr
    assert not {"load_chunks", "generate_queries", "curate_queries"} & ran(again.stdout)


STATUSES = """
from zenml.client import Client
for run in Client().list_pipeline_runs(sort_by="created", hydrate=True).items:
    print(run.status, *sorted({str(step.status) for step in run.steps.values()}))
"""


def test_a_run_that_was_killed_is_gone_on_with_and_none_stays_running(
    warm_command: RunCommand, warm_python: WarmPython, own_home: dict[str, str], tmp_path: Path
) -> None:
    docs, config = write_docs(tmp_path / "docs"), write_config(tmp_path / "config.yaml", small=True)
    arguments = ["--pipeline", "retrain", "--config", config, "--docs", docs]
    with warm_python.running([ROOT / "run.py", *arguments], own_home, ROOT, tmp_path / "errors") as (process, output):
        assert any(line.rstrip().endswith("pairs") for line in output)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    again = warm_command(*arguments)
    assert again.returncode == 0, again.stderr
    assert not {"load_chunks", "generate_queries", "curate_queries"} & ran(again.stdout)
    listed = warm_python.run(["-c", STATUSES], own_home, ROOT)
    first, second = listed.stdout.splitlines()
    assert first.startswith("failed ") and "running" not in first
    assert second.startswith("completed ")
