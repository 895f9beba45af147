"""What faults and kills cost: rows that are lost or doubled, and requests that are paid twice.

`python benchmarks/generation_faults.py [--rows 2000] [--share 0.05]` runs each kind of fault by itself and all together, and then
the same again without faults. `python benchmarks/generation_faults.py --kills 50 [--rows 1000]` kills a run at random
moments, starts it again each time, and compares what it made in the end with an undisturbed run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generation_runs import Result, Run, llm_settings, session_processes

from tests.fakes.faults import FOREIGN, KINDS, ORDERS
from tests.fakes.llm import LlmServer

ENDING = {"unauthorized", "forbidden", "not_found", "quota"}
"""These stop a run by design; a share of them is no test."""
ATTEMPTS = 2
"""A fault meets the first attempts at a request only, so every row can be had."""

_TIMEOUT = 5.0
"""Seconds that a request may take; a busy machine needs some for an answer that is there."""
_GRACE = 5.0
"""Seconds that a process may take to notice that its parent was killed."""


# 1. Faults.


def faults(rows: int, share: float, concurrency: int, kinds: list[str]) -> None:
    """Prints a row per kind, and one for all of them together."""
    names = ("requests", "faulty", "rows", "lost", "doubled", "spoiled", "paid twice", "s", "again: rows", "requests")
    print(f"{rows} rows, {share:.0%} of the requests of each kind, concurrency {concurrency}")
    print(f"{'':18}" + "".join(f"{name:>12}" for name in names))
    with LlmServer(latency=0.05, answers="quick", hang_seconds=60, retry_after=0.2) as server:
        for kind in [*kinds, "all"]:
            wanted = kinds if kind == "all" else [kind]
            with tempfile.TemporaryDirectory(prefix="finetrieve-faults-") as scratch:
                _row(kind, server, dict.fromkeys(wanted, share), rows, concurrency, Path(scratch))


def _row(kind: str, server: LlmServer, rates: dict[str, float], rows: int, concurrency: int, scratch: Path) -> None:
    settings = llm_settings(server.openai, scratch / "answers", concurrency=concurrency, timeout=_TIMEOUT).model_dump(mode="json")
    server.configure(faults=rates, faulty_attempts=ATTEMPTS)
    server.reset()
    first, stats = _finished(Run(rows, settings, str(scratch / "cache"), str(scratch / "first")), server)
    server.configure(faults={})
    server.reset()
    second, again = _finished(Run(rows, settings, str(scratch / "cache"), str(scratch / "second")), server)
    made = first.triplets.select(["chunk_id", "query"]).to_pylist()
    asked_of = {row["chunk_id"] for row in made}
    spoiled = sum(FOREIGN in row["query"] or ORDERS in row["query"] for row in made)
    cells = (
        stats["requests"],
        stats["requests"] - stats["answered"],
        len(made),
        rows - len(asked_of),
        len(made) - len(asked_of),
        spoiled,
        stats["duplicates"],
        round(first.seconds, 1),
        len(second.triplets),
        again["requests"],
    )
    print(f"{kind:18}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


def _finished(run: Run, server: LlmServer) -> tuple[Result, dict[str, Any]]:
    process = run.start(server.key)
    if process.wait(3600):
        raise SystemExit(f"the run failed with code {process.returncode}")
    return run.result(), server.stats()


# 2. Kills.


def kills(rows: int, count: int, concurrency: int, seed: int) -> None:
    """Prints what `count` kills cost."""
    draw = random.Random(seed)
    with LlmServer(latency=0.1, answers="quick") as server, tempfile.TemporaryDirectory(prefix="finetrieve-kills-") as name:
        scratch = Path(name)
        undisturbed, _ = _finished(_run(server, rows, concurrency, scratch, "undisturbed"), server)
        server.reset()
        run = _run(server, rows, concurrency, scratch, "killed")
        moments = [_killed(run, server, draw, 2 * rows // count) for _ in range(count)]
        final, stats = _finished(run, server)
        same = [final.triplets.equals(undisturbed.triplets), final.rejects.equals(undisturbed.rejects)]
        done = [moment.answers for moment in moments if moment.killed]
        print(f"{rows} rows, {len(done)} kills of a run of concurrency {concurrency}, after {done} answers")
        print(f"processes that outlived their killed parent by {_GRACE:.0f} s: {sum(moment.orphans for moment in moments)}")
        print(f"triplets equal to the undisturbed run's: {same[0]} ({len(final.triplets)}); rejects: {same[1]}")
        allowed = rows + len(done) * concurrency
        print(f"requests {stats['requests']}, allowed {allowed}; abandoned {stats['outcomes'].get('abandoned', 0)}; ", end="")
        print(f"answered twice {stats['duplicates']}")


def _run(server: LlmServer, rows: int, concurrency: int, scratch: Path, name: str) -> Run:
    settings = llm_settings(server.openai, scratch / name / "answers", concurrency=concurrency)
    return Run(rows, settings.model_dump(mode="json"), str(scratch / name / "cache"), str(scratch / name / "out"))


@dataclass(frozen=True)
class Moment:
    """A kill."""

    killed: bool
    """False: the run had ended before."""
    answers: int
    orphans: int
    """Processes that were still there a while after their parent was killed by itself."""


def _killed(run: Run, server: LlmServer, draw: random.Random, most: int) -> Moment:
    """Kills a run once it had so many answers more, or while it starts: every second time the parent alone, as people do."""
    wanted = server.stats()["answered"] + 1 + draw.randrange(most)
    starting = time.monotonic() + draw.uniform(0, 5) if draw.random() < 0.1 else float("inf")
    process = run.start(server.key)
    while process.poll() is None:
        if server.stats()["answered"] >= wanted or time.monotonic() > starting:
            time.sleep(draw.uniform(0, 0.1))
            break
        time.sleep(0.01)
    killed = process.poll() is None
    orphans = 0
    if killed and draw.random() < 0.5:
        process.kill()
        process.wait()
        orphans = _outlived(process.pid)
    _kill_all(process)
    return Moment(killed, server.stats()["answered"], orphans)


def _outlived(session: int) -> int:
    """Returns how many processes of a session are left after a while."""
    ends = time.monotonic() + _GRACE
    while (left := len(session_processes(session))) and time.monotonic() < ends:
        time.sleep(0.1)
    return left


def _kill_all(process: subprocess.Popen[str]) -> None:
    """Kills the process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


def main() -> None:
    """Runs what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, help="default 2000, with --kills 1000")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[kind for kind in KINDS if kind not in ENDING])
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.kills:
        kills(arguments.rows or 1000, arguments.kills, arguments.concurrency, arguments.seed)
    else:
        faults(arguments.rows or 2000, arguments.share, arguments.concurrency, arguments.kinds)


if __name__ == "__main__":
    main()
