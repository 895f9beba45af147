"""A schedule that truly fires: Airflow's own scheduler starts a retrain at its cron time. `make test-airflow` runs it."""

from __future__ import annotations

import json
import os
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fakes import kubernetes
from tests.fakes.airflow import OPERATOR, Airflow
from tests.fakes.world import World
from tests.pipelines.test_retrain import write_config, write_docs
from tests.warm_python import WarmPython

AIRFLOW = os.environ.get("FINETRIEVE_AIRFLOW", "")
"""The bin folder of an environment that has Airflow, which cannot live in the project's own."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(kubernetes.missing()), reason=kubernetes.missing()),
    pytest.mark.skipif(not find_spec("moto"), reason="pip install -e '.[dev]'"),
]


@pytest.mark.skipif(not AIRFLOW, reason="needs Airflow in an environment of its own: make test-airflow")
def test_airflow_starts_a_retrain_when_its_time_has_come(tmp_path: Path, warm_python: WarmPython) -> None:
    docs, config = write_docs(tmp_path / "docs"), write_config(tmp_path / "tiny.yaml", small=True)
    with World(tmp_path / "world", warm_python) as world, Airflow(Path(AIRFLOW).absolute(), tmp_path / "airflow") as airflow:
        orchestrator = {"dag_output_dir": str(airflow.dags), "operator": OPERATOR, "operator_args": {}}
        world.run("stack", "register", world.stack_file("airflow", orchestrator, steps={}))
        scheduled = world.run("--pipeline", "retrain", "--config", config, "--docs", docs, "--schedule", "* * * * *")
        assert "Created the schedule 'retrain-tiny' on the stack 'airflow'" in scheduled

        run = airflow.wait_for_run("retrain-tiny")
        airflow.pause("retrain-tiny")
        assert run["state"] == "success", airflow.log()
        assert "train_model" in world.webhook.messages[0] and "nDCG@10" in world.webhook.messages[0]


@pytest.mark.slow(minutes=1)
def test_a_dag_is_replaced_by_its_name_and_deleted_with_its_schedule(tmp_path: Path, warm_python: WarmPython) -> None:
    docs, config, dags = write_docs(tmp_path / "docs"), write_config(tmp_path / "tiny.yaml", small=True), tmp_path / "dags"
    arguments = ("--pipeline", "retrain", "--config", config, "--docs", docs)
    with World(tmp_path / "world", warm_python) as world:
        orchestrator = {"dag_output_dir": str(dags), "operator": OPERATOR, "operator_args": {}}
        world.run("stack", "register", world.stack_file("airflow", orchestrator, steps={}))
        world.run(*arguments, "--schedule", "0 3 * * 1")
        assert "Replaced the schedule 'retrain-tiny'" in world.run(*arguments, "--schedule", "30 4 * * *")
        assert [path.name for path in dags.iterdir()] == ["retrain-tiny.zip"]
        with zipfile.ZipFile(dags / "retrain-tiny.zip") as archive:
            assert json.loads(archive.read("config.json"))["schedule"] == "30 4 * * *"
        world.run("schedules", "delete", "retrain-tiny")
        assert list(dags.iterdir()) == []
