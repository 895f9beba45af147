"""Generation runs a real distilabel pipeline, and leaves the process that runs it as it was."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from finetrieve.core.rows import Chunk
from finetrieve.generation.distilabel_guard import guarded_run
from finetrieve.generation.recipes.rules_recipe import RulesRecipe
from finetrieve.generation.settings import GenerationSettings
from tests.conftest import ROOT
from tests.generation.generating import generate
from tests.warm_python import WarmPython

TEXT = "You can set the alarm volume. To snooze the alarm, swipe left. If the alarm is silent, check the speaker."


def chunk(number: int, text: str = TEXT, title: str = "Alarm") -> Chunk:
    return Chunk(f"c{number}", f"d{number}", "manual.md", f"{title} {number}", "", text, 30, 0)


@pytest.mark.slow
def test_queries_are_the_same_for_a_seed_whatever_the_order_of_the_chunks(tmp_path: Path) -> None:
    chunks = [chunk(1, TEXT.replace("alarm", "timer")), chunk(2), chunk(3, "x = 1")]
    progress: list[tuple[int, int]] = []
    result = generate(chunks, GenerationSettings(), 13, tmp_path, lambda done, total, details="": progress.append((done, total)))
    turned = generate(chunks[::-1], GenerationSettings(), 13, tmp_path)

    assert [triplet.chunk_id for triplet in result.queries] == sorted(triplet.chunk_id for triplet in result.queries)
    assert sorted(result.queries, key=lambda row: row.id) == sorted(turned.queries, key=lambda row: row.id)
    assert len({triplet.id for triplet in result.queries}) == len(result.queries)
    assert progress[-1] == (3, 3)
    assert result.report["chunks"] == 3
    assert result.report["queries"] == len(result.queries) > 4
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_chunk_keeps_its_share_and_nothing_that_many_chunks_ask(tmp_path: Path) -> None:
    chunks = [chunk(9), *(replace(chunk(number), title="Alarm", text="Read on.") for number in range(6))]
    result = generate(chunks, GenerationSettings(recipes=[RulesRecipe(queries_per_chunk=2)]), 13, tmp_path)
    assert sum(triplet.chunk_id == "c9" for triplet in result.queries) == 2
    shared = {reject.query for reject in result.rejects if reject.filter == "boilerplate"}
    assert shared
    assert not shared & {triplet.query for triplet in result.queries}


def test_no_chunks_give_no_queries(tmp_path: Path) -> None:
    assert generate([], GenerationSettings(), 13, tmp_path).queries == []


@pytest.mark.slow
def test_logging_environment_and_directory_are_as_before(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handler = logging.NullHandler()
    root.addHandler(handler)
    quiet = logging.getLogger("datasets")
    before = (list(root.handlers), root.level, quiet.level, dict(os.environ), Path.cwd(), threading.active_count())
    try:
        generate([chunk(1)], GenerationSettings(), 13, tmp_path)
        after = (list(root.handlers), root.level, quiet.level, dict(os.environ), Path.cwd(), threading.active_count())
    finally:
        root.removeHandler(handler)
    assert after[:5] == before[:5]
    output = capfd.readouterr()
    assert output.out == ""
    assert output.err == ""


@pytest.mark.slow
def test_distilabel_does_not_wait_longer_than_its_steps_take(tmp_path: Path) -> None:
    from distilabel.pipeline import base

    with guarded_run(tmp_path):
        started = time.monotonic()
        base.time.sleep(2.5)  # as it does until its steps are loaded
        assert time.monotonic() - started < 2
    assert base.time is time


@pytest.mark.slow
def test_outside_the_main_thread_it_refuses_rather_than_hangs(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            generate([chunk(1)], GenerationSettings(), 13, tmp_path)
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert "main thread" in str(errors[0])


HOST = """
import signal, sys, pathlib, tempfile
class Stopped(BaseException): pass
def stop(number, frame): raise Stopped(number)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
from tests.generation.generating import generate
from finetrieve.generation.settings import GenerationSettings
from finetrieve.core.rows import Chunk
chunk = Chunk("c", "d", "s", "Alarm", "", "You can set the alarm volume.", 9, 0)
with tempfile.TemporaryDirectory() as folder:
    for _ in range(2):
        result = generate([chunk], GenerationSettings(), 13, pathlib.Path(folder))
assert signal.getsignal(signal.SIGTERM) is stop and signal.getsignal(signal.SIGINT) is stop
print(len(result.queries), "queries")
"""


@pytest.mark.slow
def test_it_ends_in_a_process_whose_signal_handlers_raise_as_zenmls_do(warm_python: WarmPython) -> None:
    """Without the guard the workers swallow SIGTERM and the pipeline joins them for ever."""
    run = warm_python.run(["-c", HOST], dict(os.environ), ROOT, timeout=90)
    assert run.returncode == 0, run.stderr
    assert "queries" in run.stdout


@pytest.mark.slow
def test_rules_write_again_only_for_the_chunks_that_changed(tmp_path: Path, own_response_cache: Path) -> None:
    chunks = [chunk(number, TEXT.replace("alarm", f"alarm {number}")) for number in range(4)]
    first = generate(chunks, GenerationSettings(), 13, tmp_path)
    edited = [replace(chunks[0], id="new", text=TEXT.replace("alarm", "timer")), *chunks[1:]]
    second = generate(edited, GenerationSettings(), 13, tmp_path)
    assert [result.usage["rules"].hits for result in (first, second)] == [0, 3]
    assert [row for row in first.queries if row.chunk_id != "c0"] == [row for row in second.queries if row.chunk_id != "new"]
    assert any("timer" in row.query for row in second.queries)
    assert generate(chunks, GenerationSettings(), 14, tmp_path).usage["rules"].hits == 0


@pytest.mark.slow
def test_rules_go_without_a_cache_that_cannot_be_used(tmp_path: Path, own_response_cache: Path) -> None:
    own_response_cache.parent.mkdir(parents=True)
    own_response_cache.write_text("a file, not a directory")
    assert generate([chunk(1)], GenerationSettings(), 13, tmp_path).queries
