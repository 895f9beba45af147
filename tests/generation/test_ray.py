"""Engine `ray`: the same YAML on a Ray cluster gives the same rows, and what goes wrong there is said as plainly as here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from finetrieve.app.preflight import check_engine
from finetrieve.core.errors import InputError
from finetrieve.generation.llm.response_cache import ResponseCache
from finetrieve.generation.recipes.rules import VERSION
from finetrieve.generation.settings import GenerationSettings
from tests.conftest import ROOT
from tests.fakes.llm import LlmServer
from tests.generation.conftest import KEY
from tests.generation.generating import folder_chunks, generate
from tests.warm_python import WarmPython

pytestmark = pytest.mark.skipif(not (find_spec("ray") and find_spec("openai")), reason="pip install -e '.[ray]'")


def settings(answers: Path, server: LlmServer | None = None, **more: Any) -> GenerationSettings:
    """The rules, and where there is a server the recipe `triplet` as well."""
    asked = {"name": "triplet", "provider": "openai", "model": "gpt-4o-mini", "api_key_env": KEY}
    recipes = [{"name": "rules"}, *([{**asked, "base_url": server.openai}] if server else [])]
    return GenerationSettings.model_validate({"recipes": recipes, "answers": str(answers), **more})


CLUSTER = """
import sys
from ray.cluster_utils import Cluster
node = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=node)
cluster.add_node(**node)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where the cluster keeps its logs; short, since Ray puts sockets below it."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[str]:
    """The address of a cluster of two nodes that lets in who has its token."""
    from ray._raylet import Config

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_AUTH_MODE", "token")
        environment.setenv("RAY_AUTH_TOKEN", uuid.uuid4().hex)
        Config.initialize("")  # Ray reads the mode only when it is imported
        own = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": str(folder)}
        (folder / "ray").mkdir()
        command = [sys.executable, "-c", CLUSTER]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=own, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as started:
            assert started.stdin is not None
            assert started.stdout is not None
            yield started.stdout.readline().strip()
            started.stdin.close()
            started.wait(60)
    Config.initialize("")


@pytest.mark.slow(minutes=2)
def test_two_nodes_give_the_rows_of_one_machine_and_use_its_answer_cache(
    cluster: str, server: LlmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    server.configure(latency=0.02)
    corpus = folder_chunks(300)  # two batches: each node has one
    progress: list[int] = []
    told = lambda done, total, details="": progress.append(done)  # noqa: E731
    away = generate(corpus, settings(tmp_path / "away", server, engine="ray", ray_address=cluster), 13, tmp_path, told)
    assert server.stats()["requests"] == 300
    here = generate(corpus, settings(tmp_path / "here", server), 13, tmp_path)
    assert away.queries == here.queries
    assert away.rejects == here.rejects
    assert away.report["asked"] == here.report["asked"]
    assert away.report["asked"]["triplet"]["requests"] == away.report["asked"]["triplet"]["done"] == 300
    assert progress[-1] == 600
    assert len(set(progress)) > 3

    # The answers of the cluster are on this machine: the same run asks nothing, wherever it is made.
    cache = ResponseCache(tmp_path / "away")
    assert cache.statistics().models == {"openai/gpt-4o-mini": 300, f"rules {VERSION}": 300}
    cache.close()
    server.reset()
    for engine in ("ray", "local"):
        again = generate(corpus, settings(tmp_path / "away", server, engine=engine, ray_address=cluster), 13, tmp_path)
        assert again.queries == here.queries
    assert server.stats()["requests"] == 0
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("away", "here")] == []
    output = capfd.readouterr()
    assert output.out + output.err == ""


@pytest.mark.slow
def test_a_wrong_key_stops_the_run_as_it_does_here_and_no_key_is_in_the_clusters_files(
    cluster: str, folder: Path, server: LlmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = f"wrong-{uuid.uuid4().hex}"
    monkeypatch.setenv(KEY, secret)
    monkeypatch.setenv("OPENAI_API_KEY", f"{secret}-too")  # distilabel's own classes would read it into a field
    wanted = settings(tmp_path / "answers", server, engine="ray", ray_address=cluster)
    with pytest.raises(InputError, match=r"Generation stopped: .*Check the key: the provider refused it\.") as stopped:
        generate(folder_chunks(3), wanted, 13, tmp_path)
    assert secret not in str(stopped.value)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path.name for path in files if secret.encode() in path.read_bytes()] == []


class LostListener:
    """A log listener whose queue went down with its node."""

    def stop(self) -> None:
        import ray

        raise ray.exceptions.RayActorError


def test_a_log_listener_whose_queue_is_lost_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    # Asked a second time, it would have Ray start a cluster to reach the queue.
    from distilabel.utils import logging as distilabel_logging

    from finetrieve.generation import ray_cluster

    monkeypatch.setattr(distilabel_logging, "queue_listener", LostListener())
    monkeypatch.setattr(ray_cluster.RayPipeline, "run", lambda self, **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ray_cluster.RayGeneration.run(object.__new__(ray_cluster.RayGeneration))
    assert distilabel_logging.queue_listener is None


HOST = """
import os, pathlib, sys, tempfile
from tests.generation.generating import folder_chunks, generate
from finetrieve.generation.settings import GenerationSettings
settings = GenerationSettings.model_validate_json(sys.argv[1])
def told(done, total, details=""):
    print(done, flush=True)
with tempfile.TemporaryDirectory() as folder:
    try:
        generate(folder_chunks(400), settings, 13, pathlib.Path(folder), told)
    except KeyboardInterrupt:
        print("interrupted", os.listdir(folder), flush=True)
"""


def processes_of(marker: str) -> list[int]:
    """Returns the processes that inherited a marker from the one it was given to."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marker.encode() in environment.read_bytes() and b"State:\tZ" not in environment.with_name("status").read_bytes():
                found.append(int(environment.parent.name))
        except OSError:
            continue
    return found


def wait_until_gone(marker: str) -> list[int]:
    """Returns the processes that are still there after a while."""
    for _ in range(150):
        if not (left := processes_of(marker)):
            return []
        time.sleep(0.2)
    return left


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_keeps_its_answers_and_takes_its_cluster_with_it(
    number: signal.Signals, server: LlmServer, warm_python: WarmPython, tmp_path: Path
) -> None:
    server.configure(latency=1.0)
    wanted = settings(tmp_path / "answers", server, engine="ray").model_dump_json()
    marker = uuid.uuid4().hex
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    environment |= {KEY: server.key, "FINETRIEVE_TEST_MARKER": marker, "HOME": str(tmp_path)}  # Ray keeps its token at home
    with warm_python.running(["-c", HOST, wanted], environment, ROOT, tmp_path / "errors") as (run, output):
        for line in output:
            if int(line) >= 430:  # the rules' 400 and some of the LLM's
                break
        assert processes_of(marker)  # Ray's: a fork's own environment is not seen from outside
        os.killpg(run.pid, number)
        started = time.monotonic()
        said = output.read().split("\n")
        assert run.wait(60) == (0 if number == signal.SIGINT else -number)
    assert wait_until_gone(marker) == []
    if number == signal.SIGINT:
        assert time.monotonic() - started < 60
        assert "interrupted []" in said
        assert (tmp_path / "errors").read_text() == ""
    cache = ResponseCache(tmp_path / "answers")
    assert 30 <= cache.statistics().models["openai/gpt-4o-mini"] < 400
    cache.close()


@pytest.mark.slow
def test_an_address_where_no_cluster_is_fails_in_one_line_at_once(tmp_path: Path) -> None:
    for address, said in {
        "127.0.0.1:1": r"No Ray cluster answers at '127.0.0.1:1' \(Connection refused\)\. Check generation\.ray_address",
        "somewhere": "'somewhere' is no address; expected host:port",
        "ray://127.0.0.1:10001": "has to start on a machine of the cluster",
    }.items():
        started = time.monotonic()
        with pytest.raises(InputError, match=said):
            generate(folder_chunks(1), settings(tmp_path / "answers", engine="ray", ray_address=address), 13, tmp_path)
        assert time.monotonic() - started < 20


def test_the_engine_ray_without_ray_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs the package 'ray', which is not installed: pip install -e '\.\[ray\]'"):
        check_engine(settings(tmp_path, engine="ray"))
    check_engine(settings(tmp_path))
