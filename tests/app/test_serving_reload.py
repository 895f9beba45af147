"""`ask --serve` in a real registry: another version is promoted, and the server that runs takes it up."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT, home_environment
from tests.training.conftest import tiny_model  # noqa: F401  # a fixture

PROMOTE = {"command": ["models", "promote", "my-docs:4", "--yes", "--why", "a test"]}


@pytest.mark.slow(minutes=1)
def test_a_version_that_is_promoted_is_served_without_a_restart(tiny_model: Path, tmp_path: Path) -> None:  # noqa: F811
    home = tmp_path / "home"
    home.mkdir()
    environment = {**home_environment(home), "PYTHONPATH": str(ROOT)}
    run_jobs(tiny_model, tmp_path, environment, [])
    command = [sys.executable, "-u", str(ROOT / "run.py"), "ask", "--serve", "--model", "my-docs", "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        lines = list[str]()
        while not (found := re.findall(r"Ask at (http://\S+/)", "".join(lines))):
            lines.append(server.stdout.readline())
            assert lines[-1], "".join(lines)
        try:
            assert version(found[0]) == "my-docs:3 (production)"
            run_jobs(tiny_model, tmp_path, environment, [PROMOTE])
            until = time.monotonic() + 300
            while (now := version(found[0])) == "my-docs:3 (production)" and time.monotonic() < until:
                time.sleep(0.2)
            assert now == "my-docs:4 (production)"
            embedded = httpx.post(f"{found[0]}embed", json={"texts": ["pump"], "vectors": ["dense", "late"]}, timeout=300).json()
            assert embedded["model"] == now and len(embedded["dense"][0]) == 16
        finally:
            server.send_signal(signal.SIGINT)


def version(address: str) -> str:
    return str(httpx.get(f"{address}version", timeout=300).json()["version"])


def run_jobs(tiny: Path, folder: Path, environment: dict[str, str], jobs: list[dict[str, list[str]]]) -> None:
    """Makes the store, where it is not there yet, and runs commands in it."""
    (folder / "jobs.json").write_text(json.dumps(jobs))
    module = [sys.executable, "-m", "tests.fakes.two_corpora", str(tiny), str(folder / "jobs.json"), str(folder / "results.json")]
    done = subprocess.run(
        module, env={**os.environ, **environment}, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for result in json.loads((folder / "results.json").read_text()):
        assert result["code"] == 0, result
