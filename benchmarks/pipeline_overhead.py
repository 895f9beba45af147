"""What ZenML and the command line cost: a fully cached `retrain`, the seconds per step, and how fast mistakes are answered.

    python benchmarks/pipeline_overhead.py [--runs 3]

Runs a tiny `retrain` in a home of its own, then repeats it from the cache; beside it, in the same run, the import of zenml.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
THINGS = ("pump", "valve", "filter", "heater", "sensor", "motor", "lamp", "timer", "door", "fan", "tray", "tank")
CONFIG = """source: {name: folder, path: docs}
filters: [{name: duplicates}]
split: {dev: 0.2, test: 0.2}
training: {epochs: 1, batch_size: 16, max_tokens: 64, evaluations: 1, average: [0.3]}
evaluation: {bootstrap_samples: 200}
"""
TEXT = (
    "# The {0}\n\nTo replace the {0}, open the cover. You can order a new {0}.\n\n## Cleaning\n\nTo clean the {0}, use a cloth.\n"
)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="of everything; the median is shown")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="finetrieve-overhead-") as folder:
        place = Path(folder)
        (place / "docs").mkdir()
        for thing in THINGS:
            (place / "docs" / f"{thing}.md").write_text(TEXT.format(thing))
        (place / "config.yaml").write_text(CONFIG)
        retrain = ["run.py", "--pipeline", "retrain", "--config", str(place / "config.yaml")]
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians of {runs}, seconds")
        first, _ = timed(retrain, place)
        row("retrain, everything runs (once)", first)
        timed(retrain, place)  # the run after a promotion compares the model with itself once
        seconds, output = median(retrain, place, runs)
        row("retrain, all from the cache", seconds, "15")
        steps = int(output.split(": ")[1].split(" steps")[0]) if " steps" in output else 0
        imports, _ = median(["-c", "import zenml.client, zenml.pipelines; zenml.client.Client().active_stack"], place, runs)
        row("import zenml and open its store", imports)
        row(f"what is left, per step of {steps}", (seconds - imports) / max(steps, 1))
        for label, arguments, limit in (
            ("--help", ["--help"], "1"),
            ("--list", ["--list"], "1"),
            ("models --help", ["models", "--help"], "1"),
            ("a mistyped pipeline", ["--pipeline", "retrian"], "1"),
            ("documents that are not there", ["--pipeline", "retrain", "--docs", "/no/such/folder"], "1"),
            ("a mistyped key", ["--pipeline", "retrain", "--config", str(wrong(place))], "1"),
        ):
            row(label, median(["run.py", *arguments], place, runs)[0], limit)


def wrong(place: Path) -> Path:
    """Returns a configuration with a mistyped key."""
    path = place / "wrong.yaml"
    path.write_text(CONFIG + "sede: 1\n")
    return path


def row(label: str, seconds: float, limit: str = "") -> None:
    """Prints a line of the table."""
    print(f"{label:40} {seconds:8.2f}{f'   (limit {limit})' if limit else ''}", flush=True)


def median(arguments: list[str], place: Path, runs: int) -> tuple[float, str]:
    """Returns the median wall time of a command, and what its last run printed from its first `Run '` on."""
    found = [timed(arguments, place) for _ in range(runs)]
    return statistics.median(seconds for seconds, _ in found), found[-1][1]


def timed(arguments: list[str], place: Path) -> tuple[float, str]:
    """Returns the wall time of a command in a home under `place`, and the line that counts its steps."""
    home = {"HOME": "", "XDG_CACHE_HOME": ".cache", "ZENML_CONFIG_PATH": "zenml", "ZENML_LOCAL_STORES_PATH": "stores"}
    environment = os.environ | {name: str(place / "home" / part) for name, part in home.items()}
    environment |= {"ZENML_ANALYTICS_OPT_IN": "false", "ZENML_LOGGING_VERBOSITY": "CRITICAL"}
    (place / "home").mkdir(exist_ok=True)
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if "retrain" in arguments and done.returncode == 1:
        raise SystemExit(done.stdout + done.stderr)
    return seconds, next((line for line in done.stdout.splitlines() if line.startswith("Run '")), "")


if __name__ == "__main__":
    main()
