"""What ZenML and the command line cost: a fully cached `retrain`, the seconds per step, and how fast mistakes are answered.

    python benchmarks/pipeline_overhead.py [--runs 3]

Runs a tiny `retrain` in a home of its own, then repeats it from the cache; beside it, in the same run, the import of zenml.
"CPU" is what the commands computed themselves, whatever else the machine was doing.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
THINGS = ("pump", "valve", "filter", "heater", "sensor", "motor", "lamp", "timer", "door", "fan", "tray", "tank")
OPEN_STORE = """
from finetrieve.app.zenml_environment import quiet_zenml
quiet_zenml()
import zenml.pipelines
from zenml.client import Client
Client().active_stack
"""
CONFIG = """source: {name: folder, path: docs}
filters: [{name: duplicates}]
split: {dev: 0.2, test: 0.2}
training: {epochs: 1, batch_size: 16, max_tokens: 64, evaluations: 1, average: [0.3]}
evaluation: {bootstrap_samples: 200}
"""
TEXT = (
    "# The {0}\n\nTo replace the {0}, open the cover. You can order a new {0}.\n\n## Cleaning\n\nTo clean the {0}, use a cloth.\n"
)


class Timed(NamedTuple):
    """What a command took."""

    wall: float
    cpu: float
    steps: int
    """Of the pipeline that it ran."""


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="of everything; the medians are shown")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="finetrieve-overhead-") as folder:
        place = Path(folder)
        (place / "docs").mkdir()
        for thing in THINGS:
            (place / "docs" / f"{thing}.md").write_text(TEXT.format(thing))
        (place / "config.yaml").write_text(CONFIG)
        retrain = ["run.py", "--pipeline", "retrain", "--config", str(place / "config.yaml")]
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians of {runs}, seconds")
        print(f"{'':40} {'wall':>8} {'CPU':>8}")
        row("retrain, everything runs (once)", timed(retrain, place))
        timed(retrain, place)  # the run after a promotion compares the model with itself once
        cached = median(retrain, place, runs)
        row("retrain, all from the cache", cached, "15")
        imports = median(["-c", OPEN_STORE], place, runs)
        row("import zenml and open its store", imports)
        steps = max(cached.steps, 1)
        row(
            f"what is left, per step of {steps}",
            Timed((cached.wall - imports.wall) / steps, (cached.cpu - imports.cpu) / steps, 0),
        )
        for label, arguments, limit in (
            ("--help", ["--help"], "1"),
            ("--list", ["--list"], "1"),
            ("models --help", ["models", "--help"], "1"),
            ("a mistyped pipeline", ["--pipeline", "retrian"], "1"),
            ("documents that are not there", ["--pipeline", "retrain", "--docs", "/no/such/folder"], "1"),
            ("a mistyped key", ["--pipeline", "retrain", "--config", str(wrong(place))], "1"),
        ):
            row(label, median(["run.py", *arguments], place, runs), limit)


def wrong(place: Path) -> Path:
    """Returns a configuration with a mistyped key."""
    path = place / "wrong.yaml"
    path.write_text(CONFIG + "sede: 1\n")
    return path


def row(label: str, took: Timed, limit: str = "") -> None:
    """Prints a line of the table."""
    print(f"{label:40} {took.wall:8.2f} {took.cpu:8.2f}{f'   (limit {limit})' if limit else ''}", flush=True)


def median(arguments: list[str], place: Path, runs: int) -> Timed:
    """Returns the medians of a command's times."""
    found = [timed(arguments, place) for _ in range(runs)]
    walls, cpus = ([times[column] for times in found] for column in (0, 1))
    return Timed(statistics.median(walls), statistics.median(cpus), found[-1].steps)


def timed(arguments: list[str], place: Path) -> Timed:
    """Returns what a command takes in a home under `place`."""
    home = {"HOME": "", "XDG_CACHE_HOME": ".cache", "ZENML_CONFIG_PATH": "zenml", "ZENML_LOCAL_STORES_PATH": "stores"}
    environment = os.environ | {name: str(place / "home" / part) for name, part in home.items()}
    environment |= {"ZENML_ANALYTICS_OPT_IN": "false", "ZENML_LOGGING_VERBOSITY": "CRITICAL"}
    (place / "home").mkdir(exist_ok=True)
    used, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    wall, now = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode == 1:
        raise SystemExit(done.stdout + done.stderr)
    found = re.search(r"^Run '.*': (\d+) steps", done.stdout, re.M)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return Timed(wall, cpu, int(found.group(1)) if found else 0)


if __name__ == "__main__":
    main()
