"""What a retrain costs after a few pages changed: which steps run, how long each takes, and what generation asks again.

    python benchmarks/incremental.py DOCS [--pages 3] [--recipe rules|llm]

DOCS is a folder of Markdown. It is copied, retrained on with one training step, `--pages` pages get a new paragraph, and it is
retrained on again. `llm` writes with the loopback server of the tests and counts its requests; `rules` with the embedded rules.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SHOW = """
import json
from finetrieve.app.zenml_environment import quiet_zenml
quiet_zenml()
from zenml.client import Client
[run] = Client().list_pipeline_runs(sort_by="desc:created", size=1, hydrate=True).items
chunks = run.steps["load_chunks"].outputs["chunks"][0].load().column("id").to_pylist()
seconds = {n: ((s.end_time - s.start_time).total_seconds(), str(s.status)) for n, s in run.steps.items()}
print(json.dumps({"chunks": chunks, "steps": seconds}))
"""


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("docs", type=Path)
    parser.add_argument("--pages", type=int, default=3)
    parser.add_argument("--recipe", choices=("rules", "llm"), default="rules")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="finetrieve-incremental-") as folder, asked(given.recipe) as (recipe, requests):
        place = Path(folder)
        shutil.copytree(given.docs, place / "docs")
        pages = sorted((place / "docs").rglob("*.md"))
        settings = {
            "source": {"name": "folder", "path": "docs"},
            "generation": {"recipes": [recipe]},
            "filters": [{"name": "duplicates"}, {"name": "round_trip"}],
            "training": {"max_steps": 1, "evaluations": 1, "average": [0.3]},
        }
        (place / "config.yaml").write_text(json.dumps(settings))
        print(f"{len(pages)} pages, {given.pages} of them edited; recipe '{given.recipe}'; load {os.getloadavg()[0]:.1f}")
        first, before = retrained(place), requests()
        for page in pages[:: max(1, len(pages) // given.pages)][: given.pages]:
            page.write_text(
                page.read_text() + "\n\nTo see what changed, open the page's history. You can compare two versions.\n"
            )
        second = retrained(place)
        print(f"{'':26} {'first':>9} {'after':>9}   seconds")
        for step, (seconds, status) in second["steps"].items():
            was = first["steps"].get(step, (0.0, ""))[0]
            print(f"{step:26} {was:9.1f} {seconds:9.1f}   {status}")
        for label, value in (("wall", "wall"), ("without train_model", "rest")):
            print(f"{label:26} {first[value]:9.1f} {second[value]:9.1f}")
        print(f"{len(set(second['chunks']) - set(first['chunks']))} of {len(second['chunks'])} chunks are new")
        if given.recipe == "llm":
            print(f"requests to the LLM: {before} at first, {requests() - before} after the edit")


@contextlib.contextmanager
def asked(recipe: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yields the recipe's settings and a function that counts the requests to its LLM."""
    if recipe == "rules":
        yield {"name": "rules"}, lambda: 0
        return
    from tests.fakes.llm import LlmServer

    with LlmServer(key="", answers="rules") as server:
        settings = {"name": "triplet", "provider": "openai", "model": "gpt-4o-mini", "base_url": server.openai}
        yield settings, lambda: int(server.stats()["requests"])


def retrained(place: Path) -> dict[str, Any]:
    """Returns the wall time, the same without the training step, the steps' seconds and status, and the chunks' ids."""
    home = {"HOME": "", "XDG_CACHE_HOME": ".cache", "ZENML_CONFIG_PATH": "zenml", "ZENML_LOCAL_STORES_PATH": "stores"}
    environment = os.environ | {name: str(place / "home" / part) for name, part in home.items()} | {"OPENAI_API_KEY": "loopback"}
    (place / "home").mkdir(exist_ok=True)
    started = time.perf_counter()
    command = [sys.executable, "run.py", "--pipeline", "retrain", "--config", str(place / "config.yaml")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    shown = subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(shown.stdout.splitlines()[-1])
    return {"wall": wall, "rest": wall - found["steps"]["train_model"][0], **found}


if __name__ == "__main__":
    main()
