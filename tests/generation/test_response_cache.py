"""The answer cache: nothing torn, nothing lost, and whatever is wrong with its place said in one line."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finetrieve.core.errors import InputError
from finetrieve.generation.generation_state import failed_generations, failure_scope, generation_state, response_cache_directory
from finetrieve.generation.llm.response_cache import FORMAT, CachedResponse, ResponseCache, request_key
from finetrieve.generation.settings import GenerationSettings
from finetrieve.retrieval.base_model import resolve_base_model
from tests.small_disk import small_disk

ROOT = Path(__file__).resolve().parents[2]
FILE = "answers.sqlite"


def answer(text: str = "How?", tokens: int = 7) -> CachedResponse:
    return CachedResponse(text, 100, tokens, False)


def triplet_settings(answers: Path, **recipe: object) -> GenerationSettings:
    recipe = {"name": "triplet", "provider": "ollama", "model": "llama3.2", **recipe}
    return GenerationSettings.model_validate({"recipes": [recipe], "answers": str(answers)})


def test_an_answer_is_found_by_the_content_of_its_request_alone(tmp_path: Path) -> None:
    request = {
        "provider": "openai",
        "model": "m",
        "sampling": {"temperature": 0.5},
        "messages": [{"role": "user", "content": "ü\ud800"}],
    }
    key = request_key(request)
    assert key == request_key(dict(reversed(list(request.items()))))
    for changed in ({"model": "n"}, {"sampling": {}}, {"messages": []}, {"provider": "azure"}):
        assert request_key({**request, **changed}) != key
    cache = ResponseCache(tmp_path)
    cache.put(key, CachedResponse("Wie?", 3, 4, True), "openai/m")
    assert ResponseCache(tmp_path).get([key, b"other"]) == {key: CachedResponse("Wie?", 3, 4, True)}


def test_hits_misses_and_sizes_are_counted_over_all_runs(tmp_path: Path) -> None:
    keys = [f"{number}".encode() for number in range(1200)]
    cache = ResponseCache(tmp_path)
    assert cache.get(keys) == {}
    for key in keys[:700]:
        cache.put(key, answer(), "openai/a")
    cache.put(keys[700], answer(), "ollama/b")
    assert len(ResponseCache(tmp_path).get(keys)) == 701
    assert cache.peek(keys[:10]) == set(keys[:10])
    found = cache.statistics()
    assert (found.responses, found.hits, found.misses) == (701, 701, 1200 + 499)
    assert (found.input_tokens, found.output_tokens) == (70_100, 4_907)
    assert found.models == {"openai/a": 700, "ollama/b": 1}
    assert found.bytes > 10_000


def test_pruning_frees_the_disk_of_what_was_not_used_lately_or_is_of_a_model(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path)
    for number in range(2000):
        cache.put(f"{number}".encode(), answer("x" * 500), "old/a" if number % 2 else "new/b")
    before = cache.statistics().bytes
    assert cache.prune(model="old/a") == 1000
    assert cache.prune(unused_for=3600) == 0
    assert cache.statistics().bytes < before * 0.7
    time.sleep(0.05)
    used = time.time()
    cache.get([b"0", b"2"])
    assert cache.prune(unused_for=time.time() - used) == 998
    assert cache.statistics().models == {"new/b": 2}
    assert cache.prune() == 2


def _write(directory: str, name: int, barrier: object, count: int) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    cache = ResponseCache(Path(directory))
    for number in range(count):
        cache.put(f"{number}".encode(), answer(f"{number} of all"), "m")
        cache.put(f"{name} {number}".encode(), answer(f"{name} {number}"), "m")
        cache.get([f"{number}".encode()])


@pytest.mark.slow
def test_processes_open_a_new_cache_and_write_it_at_the_same_time(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    for place in (tmp_path / f"{number}" for number in range(6)):
        barrier = fork.Barrier(8)
        writers = [fork.Process(target=_write, args=(str(place), name, barrier, 20)) for name in range(8)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(60)
        assert [writer.exitcode for writer in writers] == [0] * 8
        cache = ResponseCache(place)
        assert len(cache.get([f"{name} {number}".encode() for name in range(8) for number in range(20)])) == 160
        assert cache.statistics().responses == 180
        assert cache.statistics().hits == 160 + 160


WRITER = """
import sys
from pathlib import Path
from finetrieve.generation.llm.response_cache import CachedResponse, ResponseCache
cache = ResponseCache(Path(sys.argv[1]))
for number in range(int(sys.argv[2]), 10**9):
    cache.put(str(number).encode(), CachedResponse(f"{number} " * 400, number, 1, False), "m")
    print(number, flush=True)
"""


@pytest.mark.slow
def test_a_kill_at_any_moment_tears_no_answer_and_loses_none_that_was_kept(tmp_path: Path) -> None:
    told = -1
    for kill in range(8):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(told + 1)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(1 + 37 * kill):
            told = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        told = max([told, *map(int, writer.stdout.read().split("\n")[:-1])])
        writer.wait()
        cache = ResponseCache(tmp_path)
        kept = cache.get([str(number).encode() for number in range(told + 2)])
        assert set(range(told + 1)) <= {int(key) for key in kept}
        assert all(found.text == f"{int(key)} " * 400 for key, found in kept.items())
        [state] = sqlite3.connect(tmp_path / FILE).execute("PRAGMA integrity_check").fetchone()
        assert state == "ok"
        cache.close()


FULL = """
import resource, sys
from pathlib import Path
from finetrieve.core.errors import InputError
from finetrieve.generation.llm.response_cache import CachedResponse, ResponseCache
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
cache = ResponseCache(Path(sys.argv[1]))
try:
    for number in range(1000):
        cache.put(str(number).encode(), CachedResponse("x" * 5000, 1, 1, False), "m")
except InputError as error:
    print(number, error)
"""


@pytest.mark.slow
def test_a_full_disk_is_said_and_what_was_kept_is_still_there(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    number, said = run.stdout.strip().split(" ", 1)
    assert "disk is full" in said and "generation.answers" in said and str(tmp_path) in said and "\n" not in said
    cache = ResponseCache(tmp_path)
    assert len(cache.get([str(one).encode() for one in range(int(number))])) == int(number) > 10
    cache.put(b"more", answer(), "m")


def test_on_a_disk_that_fills_up_and_is_made_read_only_the_setting_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "256k") as disk:
        cache = ResponseCache(disk / "answers")
        with pytest.raises(InputError, match="its disk is full"):
            for number in range(1000):
                cache.put(str(number).encode(), answer("x" * 5000), "m")
        assert len(cache.peek([str(one).encode() for one in range(number)])) == number > 3
        cache.close()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for place in (disk / "answers", disk / "new"):
            with pytest.raises(
                InputError, match=r"cannot be written; check its owner and mode, or give another directory with gen"
            ):
                ResponseCache(place).get([b"0"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"):
        ResponseCache(tmp_path / "answers")
    with pytest.raises(InputError, match="cannot be written"):
        ResponseCache(tmp_path)


def test_a_file_in_the_place_of_the_directory_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "answers"):
        with pytest.raises(InputError, match=r"it is a file.*generation\.answers"):
            ResponseCache(place)


@pytest.mark.parametrize("version", [0, FORMAT - 1, FORMAT + 1])
def test_another_versions_cache_is_left_as_it_is(tmp_path: Path, version: int) -> None:
    with sqlite3.connect(tmp_path / FILE) as other:
        other.execute("CREATE TABLE answers (key TEXT, what TEXT)")
        other.execute("INSERT INTO answers VALUES ('k', 'v')")
        other.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(InputError, match=rf"has format {version}; this version reads format {FORMAT}.*asked for again"):
        ResponseCache(tmp_path)
    assert sqlite3.connect(tmp_path / FILE).execute("SELECT * FROM answers").fetchall() == [("k", "v")]


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database at all" * 500)
    with pytest.raises(InputError, match="is no SQLite database or is damaged; delete it"):
        ResponseCache(tmp_path)
    (tmp_path / FILE).unlink()
    cache = ResponseCache(tmp_path)
    for number in range(300):
        cache.put(str(number).encode(), answer("x" * 500), "m")
    cache.prune(unused_for=99)
    cache.close()
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:5000] + b"\x99" * 60_000 + whole[65_000:])
    with pytest.raises(InputError, match="is damaged; delete it"):
        ResponseCache(tmp_path).get([str(number).encode() for number in range(300)])
    for path in tmp_path.glob(f"{FILE}*"):
        path.unlink()
    (tmp_path / FILE).touch()
    assert ResponseCache(tmp_path).get([b"0"]) == {}, "an empty file, as a full disk leaves it, is a new cache"


def test_runs_that_ended_with_failures_are_counted_per_recipes_and_looking_makes_no_cache(tmp_path: Path) -> None:
    settings, other = triplet_settings(tmp_path / "a"), triplet_settings(tmp_path / "a", model="other")
    assert failed_generations(settings) == 0
    assert not (tmp_path / "a").exists()
    ResponseCache(tmp_path / "a").note_failed_run(failure_scope(settings))
    assert (failed_generations(settings), failed_generations(other)) == (1, 0)
    assert failed_generations(GenerationSettings(answers=str(tmp_path / "a"))) == 0


def test_an_edited_template_and_a_run_with_failures_are_another_state(tmp_path: Path) -> None:
    template = tmp_path / "ask.jinja2"
    settings = triplet_settings(tmp_path / "a", template=str(template))
    states = [generation_state(settings), generation_state(triplet_settings(tmp_path / "a"))]
    for text in ("{{ text }}", "Please: {{ text }}"):
        template.write_text(text)
        states.append(generation_state(settings))
    ResponseCache(tmp_path / "a").note_failed_run(failure_scope(settings))
    states.append(generation_state(settings))
    assert len(set(states)) == 5
    template.write_text("{{ text }}")
    assert generation_state(settings) == states[2].replace("failed 0", "failed 1")


def test_the_cache_is_in_the_users_cache_directory_unless_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert response_cache_directory(GenerationSettings()) == tmp_path / "finetrieve" / "answers"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert response_cache_directory(GenerationSettings()) == tmp_path / ".cache" / "finetrieve" / "answers"
    assert response_cache_directory(GenerationSettings(answers="~/mine")) == tmp_path / "mine"


def test_another_model_in_the_place_of_the_one_that_tells_likeness_is_another_state(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(resolve_base_model("embedded"), model, copy_function=os.symlink)
    recipe = {"name": "graph", "provider": "openai", "model": "m", "embedding_model": str(model)}
    settings = GenerationSettings.model_validate({"answers": str(tmp_path / "answers"), "recipes": [recipe]})
    before = generation_state(settings)
    (model / "further.json").write_text("{}")
    assert generation_state(settings) != before
    none = settings.recipes[0].model_copy(update={"embedding_model": None})
    assert "likeness" not in generation_state(settings.model_copy(update={"recipes": [none]}))
