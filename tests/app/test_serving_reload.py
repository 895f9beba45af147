"""`ask --serve` in a real registry: another version is promoted, and the server that runs takes it up."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT
from tests.fakes.two_corpora import run_in_store
from tests.training.conftest import tiny_model  # noqa: F401  # a fixture
from tests.warm_python import WarmPython

PROMOTE = {"command": ["models", "promote", "my-docs:4", "--yes", "--why", "a test"]}


@pytest.mark.slow(minutes=1)
def test_a_version_that_is_promoted_is_served_without_a_restart(
    tiny_model: Path,  # noqa: F811
    warm_python: WarmPython,
    new_zenml_store: Path,
    own_home: dict[str, str],
    tmp_path: Path,
) -> None:
    shutil.copytree(new_zenml_store, own_home["ZENML_LOCAL_STORES_PATH"])
    environment = {**own_home, "PYTHONPATH": str(ROOT)}

    def run_jobs(jobs: list[dict[str, list[str]]]) -> None:
        """Makes the models, where they are not there yet, and runs commands."""
        for result in run_in_store(warm_python, environment, tiny_model, jobs, tmp_path):
            assert result["code"] == 0, result

    run_jobs([])
    command = [ROOT / "run.py", "ask", "--serve", "--model", "my-docs", "--port", "0"]
    with warm_python.running(command, environment, ROOT, tmp_path / "errors") as (server, output):
        try:
            line = next((line for line in output if "Ask at" in line), "")
            assert line, (tmp_path / "errors").read_text()
            [address] = re.findall(r"Ask at (http://\S+/)", line)
            assert version(address) == "my-docs:3 (production)"
            run_jobs([PROMOTE])
            until = time.monotonic() + 300
            while (now := version(address)) == "my-docs:3 (production)" and time.monotonic() < until:
                time.sleep(0.2)
            assert now == "my-docs:4 (production)"
            embedded = httpx.post(f"{address}embed", json={"texts": ["pump"], "vectors": ["dense", "late"]}, timeout=300).json()
            assert embedded["model"] == now and len(embedded["dense"][0]) == 16
        finally:
            os.kill(server.pid, signal.SIGINT)
            server.wait()


def version(address: str) -> str:
    return str(httpx.get(f"{address}version", timeout=300).json()["version"])
