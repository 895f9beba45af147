"""Memory and time of generation as the corpus grows, and what a second run over the same chunks costs.

`python benchmarks/generation_memory.py [--rows 1000 10000 100000] [--recipes rules triplet]`

Memory is the most that the run's process and all that it started had at one moment, pages that they share counted once (PSS,
sampled). "Own" is what they hold themselves (anonymous pages); "peak" has also the pages of files that were read through a
mapping (libraries, chunks, answers, results), which grow with the files and which the system takes back whenever it wants.
The second run asks nothing: every answer is in the cache.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from generation_runs import Run, llm_settings, session_processes

from finetrieve.generation.settings import GenerationSettings
from tests.fakes.llm import LlmServer

_EVERY = 0.2
"""Seconds between two looks at the memory."""


def main() -> None:
    """Prints a row per recipe and number of rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--recipes", nargs="+", choices=["rules", "triplet"], default=["rules", "triplet"])
    parser.add_argument("--concurrency", type=int, default=64)
    arguments = parser.parse_args()
    once = ("s", "CPU s", "own MB", "peak MB", "requests")
    names = ("rows", "queries", *once, f"again: {once[0]}", *once[1:])
    print(f"{'':10}" + "".join(f"{name:>12}" for name in names))
    with LlmServer(answers="quick") as server:
        for recipe in arguments.recipes:
            for rows in arguments.rows:
                with tempfile.TemporaryDirectory(prefix="finetrieve-memory-") as scratch:
                    _row(recipe, rows, server, Path(scratch), arguments.concurrency)


def _row(recipe: str, rows: int, server: LlmServer, scratch: Path, concurrency: int) -> None:
    if recipe == "rules":
        settings = GenerationSettings()
    else:
        settings = llm_settings(server.openai, scratch / "answers", concurrency=concurrency)
    cells: list[str] = []
    for attempt in ("first", "second"):
        server.reset()
        run = Run(rows, settings.model_dump(mode="json"), str(scratch / "cache"), str(scratch / attempt))
        own, peak = _peaks(run.start(server.key))
        made = run.result()
        cells += [f"{len(made.triplets):,}"] if attempt == "first" else []
        cells += [f"{made.seconds:.1f}", f"{made.cpu:.1f}", f"{own:,.0f}", f"{peak:,.0f}", f"{server.stats()['requests']:,}"]
    print(f"{recipe:10}{rows:>12,}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


def _peaks(process: subprocess.Popen[str]) -> tuple[float, float]:
    """Waits for a process; returns the most megabytes that it and its children had: anonymous, and of all kinds."""
    own = whole = 0.0
    while process.poll() is None:
        now = _megabytes(process.pid)
        own, whole = max(own, now["Pss_Anon"]), max(whole, now["Pss"])
        time.sleep(_EVERY)
    if process.returncode:
        raise SystemExit(f"the run failed with code {process.returncode}")
    return own, whole


def _megabytes(session: int) -> Counter[str]:
    """Returns what all processes of a session have, by the kernel's names."""
    found: Counter[str] = Counter()
    for folder in session_processes(session):
        with contextlib.suppress(OSError):  # It may end while we look.
            for line in (folder / "smaps_rollup").read_text().splitlines()[1:]:
                name, kilobytes = line.split()[:2]
                found[name.rstrip(":")] += int(kilobytes)
    return Counter({name: kilobytes // 1024 for name, kilobytes in found.items()})


if __name__ == "__main__":
    main()
