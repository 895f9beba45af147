"""The operator that Airflow runs tasks with in the test: the step's command as a process. Imported by Airflow, in its environment."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from airflow.exceptions import AirflowException
from airflow.providers.docker.operators.docker import DockerOperator

PATH = "FINETRIEVE_STEP_PATH"
"""The PATH of a step: its first folder holds the Python that has the project's dependencies, as the image would."""
CONTAINER = "FINETRIEVE_CONTAINER"
"""The command, as JSON, that runs another in a file system and under a host name of its own."""


class ProcessOperator(DockerOperator):
    """ZenML configures it as a DockerOperator; it runs the same command with the same environment, without Docker."""

    def execute(self, context: Any) -> None:
        root = tempfile.mkdtemp(prefix="finetrieve-task-")
        host = f"{self.task_id.replace('_', '-')}-{secrets.token_hex(3)}"
        command = [*json.loads(os.environ[CONTAINER]), root, host, *self.command]
        environment = {"PATH": os.environ[PATH], "HOME": "/app", **self.environment}
        done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
        log = Path(os.environ["AIRFLOW_HOME"], f"step-{self.task_id}.log")
        log.write_text(done.stdout + done.stderr)
        self.log.info("%s", done.stdout + done.stderr)
        if done.returncode:
            raise AirflowException(f"the step ended with {done.returncode}")
