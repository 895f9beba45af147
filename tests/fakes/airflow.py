"""Airflow on this machine, in an environment of its own: a real scheduler that reads a DAG folder.

with Airflow(Path(".venv-airflow/bin"), tmp_path) as airflow:
    airflow.dags                  # where ZenML writes its DAG files
    airflow.wait_for_run("retrain-tiny")
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.fakes.kubernetes import container_command

OPERATOR = "airflow_process.ProcessOperator"


class Airflow:
    """A running scheduler, for as long as the `with` block is open."""

    def __init__(self, bin_folder: Path, home: Path) -> None:
        self._airflow = str(bin_folder / "airflow")
        self.home = home
        self.dags = home / "dags"
        self._environment = {
            "PATH": f"{bin_folder}:/usr/bin:/bin",
            "HOME": str(home),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor",
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "5",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "PYTHONPATH": str(Path(__file__).parent / "airflow_operators"),
            "FINETRIEVE_STEP_PATH": f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
            "FINETRIEVE_CONTAINER": json.dumps(container_command()),
        }

    def __enter__(self) -> Airflow:
        self.dags.mkdir(parents=True)
        subprocess.run([self._airflow, "db", "migrate"], env=self._environment, check=True, capture_output=True)
        with (self.home / "scheduler.log").open("wb") as log:
            command = [self._airflow, "scheduler"]
            self._process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        return self

    def __exit__(self, *_: object) -> None:
        # The scheduler's own children, whose group it leads, go with it.
        os.killpg(self._process.pid, 15)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)

    def wait_for_run(self, dag: str, seconds: float = 1800) -> dict[str, Any]:
        """Returns the first run of a DAG that its schedule started, once it has ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for run in self._runs(dag):
                if run["run_id"].startswith("scheduled__") and run["state"] in ("success", "failed"):
                    return run
            unread = self._call("dags", "list-import-errors", "--output", "json")
            if "[{" in unread:
                raise RuntimeError(f"Airflow cannot read a DAG: {unread[unread.find('[{') :]}")
            time.sleep(5)
        raise TimeoutError(f"no scheduled run of '{dag}' ended within {seconds:.0f} s:\n{self.log()}")

    def pause(self, dag: str) -> None:
        """Keeps a DAG from running again."""
        self._call("dags", "pause", dag)

    def log(self) -> str:
        """Returns the end of what the scheduler and the steps wrote."""
        files = [self.home / "scheduler.log", *sorted(self.home.glob("step-*.log"))]
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in files)

    def _runs(self, dag: str) -> list[dict[str, Any]]:
        answer = self._call("dags", "list-runs", "--dag-id", dag, "--output", "json")
        start = answer.find("[{")
        found: list[dict[str, Any]] = json.loads(answer[start:]) if start >= 0 else []
        return found

    def _call(self, *arguments: str) -> str:
        done = subprocess.run([self._airflow, *arguments], env=self._environment, capture_output=True, text=True, check=False)
        return done.stdout
