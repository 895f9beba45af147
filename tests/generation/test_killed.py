"""Generation that is killed: by SIGKILL, which no process can answer, in the middle of its requests."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, needs
from tests.fakes.llm import LlmServer
from tests.warm_python import NOTHING, WarmProcess, WarmPython

pytestmark = needs("openai")
CONCURRENCY, ROWS = 4, 40
PROGRAM = """
import json, sys
from pathlib import Path
from tests.generation.generating import generate
from finetrieve.generation.settings import GenerationSettings
from finetrieve.core.rows import Chunk

settings, rows, out = json.loads(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
texts = [f"Page {number} says how to open drawer {number} of the cabinet, and how to lock it again." for number in range(rows)]
chunks = [Chunk(f"c{number}", f"d{number}", "s", f"Drawer {number}", "", text, 20, 0) for number, text in enumerate(texts)]
made = generate(chunks, GenerationSettings.model_validate(settings), 0, out.parent / "cache")
out.write_text(json.dumps([[row.id, row.chunk_id, row.query, row.negative_query, row.style] for row in made.queries]))
"""


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with LlmServer(latency=0.3, answers="quick") as server:
        yield server


Start = Callable[[str], WarmProcess]


@pytest.fixture
def start(server: LlmServer, warm_python: WarmPython, tmp_path: Path) -> Start:
    def start(name: str) -> WarmProcess:
        recipe = {"name": "triplet", "provider": "openai", "model": "gpt-4o-mini", "base_url": server.openai}
        settings = {"recipes": [{**recipe, "concurrency": CONCURRENCY}], "answers": str(tmp_path / f"{name}-answers")}
        program = ["-c", PROGRAM, json.dumps(settings), str(ROWS), str(tmp_path / f"{name}.json")]
        with NOTHING.open("r+b") as nothing:
            return warm_python.start(program, {**os.environ, "OPENAI_API_KEY": server.key}, ROOT, [nothing] * 3)

    return start


def processes_of(session: int) -> list[str]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(stat.parent.name)
    return found


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while not condition() and time.monotonic() < ends:
        time.sleep(0.02)
    return condition()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_a_killed_run_leaves_no_process_that_goes_on_asking(server: LlmServer, start: Start) -> None:
    process = start("killed")
    try:
        assert wait_for(lambda: server.stats()["answered"] >= 5, 60)
        process.kill()
        process.wait()
        assert wait_for(lambda: not processes_of(process.pid), 3)
        asked = server.stats()["requests"]
        time.sleep(1)
        assert server.stats()["requests"] == asked < ROWS
    finally:
        for pid in processes_of(process.pid):
            os.kill(int(pid), signal.SIGKILL)


@pytest.mark.slow
def test_a_run_that_was_killed_twice_ends_like_one_that_was_not_and_pays_only_for_what_was_in_flight(
    server: LlmServer, start: Start, tmp_path: Path
) -> None:
    assert start("undisturbed").wait(120) == 0
    server.reset()
    for answers in (5, 20):
        process = start("killed")
        assert wait_for(lambda: server.stats()["answered"] >= answers, 60)  # noqa: B023
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert start("killed").wait(120) == 0
    assert (tmp_path / "killed.json").read_text() == (tmp_path / "undisturbed.json").read_text()
    stats = server.stats()
    assert stats["answered_distinct"] == ROWS and stats["requests"] <= ROWS + 2 * CONCURRENCY
