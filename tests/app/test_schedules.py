"""Schedules on a cluster of processes: a real ZenML server (on MariaDB where there is one), an S3 store, the real entrypoints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import kubernetes
from tests.fakes.kubernetes import Cluster
from tests.fakes.world import IMAGE, World
from tests.pipelines.test_retrain import write_config, write_docs
from tests.warm_python import WarmPython

# Both take a second to import, and every worker reads this file.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(kubernetes.missing()), reason=kubernetes.missing()),
    pytest.mark.skipif(not find_spec("kubernetes"), reason="pip install -e '.[kubernetes]'"),
    pytest.mark.skipif(not find_spec("moto"), reason="pip install -e '.[dev]'"),
]

CHEAP = {"fingerprint_inputs", "find_production", "promote", "notify"}
"""What runs each time: it looks at the world outside, or tells it."""


@pytest.fixture
def world(tmp_path: Path, warm_python: WarmPython) -> Iterator[World]:
    with World(tmp_path / "world", warm_python) as found:
        yield found


def fire(world: World, cluster: Cluster) -> tuple[set[str], str]:
    """Returns the steps that got a pod of their own, and what was told, of one run of the schedule."""
    before, told = {job["metadata"]["name"] for job in cluster.objects("jobs")}, len(world.webhook.messages)
    [cron_job] = cluster.objects("cronjobs")
    job = cluster.fire(cron_job["metadata"]["name"])
    assert cluster.wait(job, 1800), cluster.log(job)
    assert len(world.webhook.messages) == told + 1, cluster.log(job)
    new = [found["metadata"] for found in cluster.objects("jobs") if found["metadata"]["name"] not in before | {job}]
    return {metadata["labels"]["step_name"] for metadata in new}, world.webhook.messages[-1]


def containers(thing: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the containers of a CronJob or a Job."""
    job = thing["spec"].get("jobTemplate", thing)
    found: list[dict[str, Any]] = job["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.slow(minutes=6)
def test_a_schedule_lives_on_the_cluster(world: World, warm_python: WarmPython, tmp_path: Path) -> None:
    docs, config = write_docs(tmp_path / "docs"), write_config(tmp_path / "tiny.yaml", small=True)
    arguments = ("--pipeline", "retrain", "--config", config, "--docs", docs)
    with Cluster(tmp_path / "cluster", warm_python) as cluster:
        world.environment["KUBECONFIG"] = str(cluster.kubeconfig)
        stack = world.stack_file("kubernetes", {"kubernetes_context": kubernetes.CONTEXT, "job_monitoring_interval": 0.5})

        # 1. Registered, the stack is the active one.
        assert "is registered and active: kubernetes, artifacts in s3://artifacts/finetrieve" in world.run(
            "stack", "register", stack
        )

        # 2. Scheduled: one CronJob with the image and the line; the token is a reference.
        assert "Created the schedule 'retrain-tiny' on the stack 'kubernetes'" in world.run(*arguments, "--schedule", "0 3 * * 1")
        [cron_job] = cluster.objects("cronjobs")
        assert (cron_job["spec"]["schedule"], cron_job["spec"]["concurrencyPolicy"]) == ("0 3 * * 1", "Forbid")
        [container] = containers(cron_job)
        assert container["image"] == IMAGE
        token = next(entry for entry in container["env"] if entry["name"] == "ZENML_STORE_API_TOKEN")
        assert "value" not in token and token["valueFrom"]["secretKeyRef"]["name"].startswith("zenml-token-")

        # 3. Registered and scheduled again with other code: replaced, not doubled.
        (world.checkout / "finetrieve" / "reporting" / "report.html.j2").open("a").write(
            "<!-- the second version of the code -->"
        )
        world.run("stack", "register", stack)
        assert "Replaced the schedule 'retrain-tiny'" in world.run(*arguments, "--schedule", "30 4 * * *")
        [replaced] = cluster.objects("cronjobs")
        assert replaced["spec"]["schedule"] == "30 4 * * *"
        assert replaced["metadata"]["name"] != cron_job["metadata"]["name"]

        # 4. Paused, listed, resumed.
        world.run("schedules", "pause", "retrain-tiny")
        assert cluster.objects("cronjobs")[0]["spec"]["suspend"] is True
        assert "retrain-tiny 30 4 * * * paused kubernetes (kubernetes)" in " ".join(world.run("schedules").split())
        world.run("schedules", "resume", "retrain-tiny")
        assert cluster.objects("cronjobs")[0]["spec"]["suspend"] is False

        # 5. Its time comes: the whole pipeline in pods, with the documents as they are now and the code from the artifact store; a
        #    GPU for training alone.
        (docs / "late.md").write_text("# Zephyrine hinge\n\nTo oil the zephyrine hinge, use the small brush beside the pump.")
        pods, told = fire(world, cluster)
        assert {"load_chunks", "generate_queries", "train_model", "evaluate_model", "build_report", *CHEAP} <= pods
        assert "train_model" in told and "nDCG@10" in told and "docs:1 -> " in told
        with_gpu = {
            job["metadata"]["labels"].get("step_name")
            for job in cluster.objects("jobs")
            if "nvidia.com/gpu" in str(containers(job))
        }
        assert with_gpu == {"train_model"}
        stored = world.stored()
        assert any(b"zephyrine" in content for key, content in stored.items() if "/load_chunks/chunks/" in key)
        reports = [content for key, content in stored.items() if "/build_report/report/" in key and key.endswith("report.html")]
        assert reports and all(b"<!-- the second version of the code -->" in content for content in reports)

        # 6. Nothing changed: no work, and it says so.
        pods, told = fire(world, cluster)
        assert pods <= CHEAP
        assert "neither documents nor annotations changed" in told

        # 7. No secret anywhere but where secrets are kept, and none of the project's `.env` in the code that travelled.
        assert any(key.endswith(".tar.gz/run.py") for key in stored)
        kept = json.dumps([cluster.objects(kind) for kind in ("cronjobs", "jobs", "pods")])
        logs = [cluster.log(job["metadata"]["name"]) for job in cluster.objects("jobs")]
        everything = "\n".join(
            [kept, *logs, *(content.decode("latin-1") for content in stored.values()), *world.webhook.messages]
        )
        assert [secret for secret in world.secrets() if secret in everything] == []

        # 8. Deleted.
        world.run("schedules", "delete", "retrain-tiny")
        assert cluster.objects("cronjobs") == []
