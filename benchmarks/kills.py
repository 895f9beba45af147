"""kill -9 at random moments of a tiny `retrain`: does the next one finish with the metrics of an undisturbed run?

    python benchmarks/kills.py [--kills 20] [--seed 1]

Every kill meets a retrain in a home of its own, and the one that follows goes on there; an undisturbed retrain says what the
metrics must be. No run may still be called "running" afterwards, and no worker of the killed process may be left.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
THINGS = ("pump", "valve", "filter", "heater", "sensor", "motor", "lamp", "timer", "door", "fan", "tray", "tank")
CONFIG = """source: {name: folder, path: docs}
filters: [{name: duplicates}, {name: round_trip}]
split: {dev: 0.2, test: 0.2}
training: {epochs: 3, batch_size: 8, max_tokens: 64, evaluations: 2, average: [0.0, 0.5], checkpoint_seconds: 0.2}
evaluation: {bootstrap_samples: 200}
"""
TEXT = """# The {thing}

To replace the {thing}, open cover {number}. You can order a new {thing}. The {thing} moves water.

## Cleaning the {thing}

To clean the {thing}, use a cloth. If the {thing} makes a noise, call service {number}.
"""
STATUSES = """
from finetrieve.app.zenml_environment import quiet_zenml
quiet_zenml()
from zenml.client import Client
runs = Client().list_pipeline_runs(size=500).items
print(sum(str(run.status) in ("running", "initializing") for run in runs))
"""
KEPT = ("eval_sets", "verdict")
_KILLED: set[int] = set()
"""Sessions of killed runs."""
_GRACE = 5.0
"""Seconds that a process may take to end after the one that started it was killed."""


def main() -> None:
    """Prints a line per kill, and the sum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    dice = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="finetrieve-kills-") as folder:
        place = Path(folder)
        write_docs(place)
        started = time.perf_counter()
        calm = retrained(place, "calm")
        whole = time.perf_counter() - started
        print(f"an undisturbed retrain takes {whole:.1f} s", flush=True)
        same = left = running = 0
        for kill in range(1, given.kills + 1):
            home, moment = f"killed-{kill}", dice.uniform(0.1, 0.95) * whole
            where = killed(place, home, moment)
            left += workers_left()
            started = time.perf_counter()
            agree = retrained(place, home) == calm
            seconds = time.perf_counter() - started
            same += agree
            running += still_running(place, home)
            verdict = "same metrics" if agree else "OTHER METRICS"
            print(f"kill {kill:2} after {moment:5.1f} s, {where:32} {verdict} after {seconds:5.1f} s more", flush=True)
            shutil.rmtree(place / home)
        print(f"{same} of {given.kills} the same; {running} runs are still called running; {left} workers were left")


def still_running(place: Path, home: str) -> int:
    """Returns how many runs ZenML still calls running."""
    asked = [sys.executable, "-c", STATUSES]
    done = subprocess.run(asked, cwd=ROOT, env=environment(place, home), capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def write_docs(place: Path) -> None:
    """Writes the corpus and the configuration."""
    (place / "docs").mkdir()
    for number, thing in enumerate(THINGS):
        (place / "docs" / f"{thing}.md").write_text(TEXT.format(thing=thing, number=number))
    (place / "config.yaml").write_text(CONFIG)


def environment(place: Path, home: str) -> dict[str, str]:
    """Returns an environment in which everything that is kept lies under `place/home`."""
    parts = {"HOME": "", "XDG_CACHE_HOME": ".cache", "ZENML_CONFIG_PATH": "zenml", "ZENML_LOCAL_STORES_PATH": "stores"}
    (place / home).mkdir(exist_ok=True)
    return os.environ | {name: str(place / home / part) for name, part in parts.items()}


def command(place: Path, *more: str) -> list[str]:
    """Returns the command line of a retrain."""
    return [sys.executable, "run.py", "--pipeline", "retrain", "--config", str(place / "config.yaml"), *more]


def killed(place: Path, home: str, moment: float) -> str:
    """Kills a retrain after so many seconds, not what it started, and returns what it had said last."""
    log = place / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command(place), cwd=ROOT, env=environment(place, home), stdout=out, stderr=out, start_new_session=True
        )
        time.sleep(moment)
        finished = process.poll() is not None
        _KILLED.add(process.pid)
        process.kill()
        process.wait()
    lines = log.read_text().split("\n")
    said = next((line.strip() for line in reversed(lines) if line.startswith("  ")), "nothing said yet")
    return "after its end" if finished else f"'{said[:28]}'"


def workers_left() -> int:
    """Returns how many processes live on in the session of a killed run; what ZenML asks git and pip ends within seconds."""
    end = time.monotonic() + _GRACE
    while (left := sum(_session(process.pid) in _KILLED for process in psutil.process_iter())) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def retrained(place: Path, home: str) -> dict[str, Any]:
    """Returns the metrics of a retrain that runs to its end."""
    out = place / f"{home}-out"
    done = subprocess.run(
        command(place, "--out", str(out)), cwd=ROOT, env=environment(place, home), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    metrics = json.loads((out / "metrics.json").read_text())
    return {name: metrics[name] for name in KEPT}


if __name__ == "__main__":
    main()
