"""What an experiment tracker gets of a run."""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from finetrieve.evaluation.result import EvaluationResult
from finetrieve.registry.trackers import tracked_name, tracked_run, write_to_tracker
from tests.conftest import ROOT
from tests.docs.pages import commands
from tests.evaluation.many_arms import VALUES, many_arms
from tests.warm_python import WarmPython


def measured() -> EvaluationResult:
    made = many_arms()
    made["training"] |= {"loss": [{"step": 20, "loss": 1.25}, {"step": 10, "loss": 2.5}], "dev": [{"step": 20, "ndcg@10": 0.75}]}
    return EvaluationResult.model_validate(made)


def test_curves_ascend_by_step_and_every_arm_has_its_metrics() -> None:
    run = tracked_run(measured(), "my-docs:3")
    assert list(run.curves.items()) == [(10, {"train/loss": 2.5}), (20, {"dev/ndcg_at_10": 0.75, "train/loss": 1.25})]
    assert run.metrics["tv-manual/fused_finetuned/ndcg_at_10"] == VALUES["fused_finetuned"]
    assert {name.split("/")[1] for name in run.metrics} == set(VALUES)
    assert run.params["model_version"] == "my-docs:3" and run.params["steps"] == "34" and run.params["verdict"] == "better"


def test_no_key_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_TOKEN", "hush-hush-hush")
    made = measured()
    training = made.training.model_copy(update={"base_model": "https://user:hush-hush-hush@hub/sk-planted-1234567890abcdef"})
    assert tracked_run(made.model_copy(update={"training": training})).params["base_model"] == "https://user:***@hub/***"


def test_a_name_is_one_that_every_tracker_takes() -> None:
    assert tracked_name("fragen: äöü/base/ndcg@10") == "fragen_ äöü/base/ndcg_at_10"


class Wandb(types.ModuleType):
    """The part of Weights & Biases that is written to, in place of the package, which is not installed."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.config, self.logged = {}, []  # type: ignore[var-annotated]
        self.run = types.SimpleNamespace(summary={})

    def log(self, values: dict[str, float], step: int) -> None:
        self.logged.append((step, values))


def test_weights_and_biases_gets_the_curves_in_order_and_the_metrics_as_the_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    assert write_to_tracker(types.SimpleNamespace(flavor="wandb"), measured())
    assert [step for step, _ in wandb.logged] == [10, 20]
    assert wandb.config["batch_size"] == "64" and wandb.run.summary["tv-manual/bm25/ndcg_at_10"] == VALUES["bm25"]


def test_comet_gets_them_through_zenmls_component() -> None:
    asked: list[tuple[str, Any]] = []
    tracker = types.SimpleNamespace(
        flavor="comet",
        log_params=lambda params: asked.append(("params", params)),
        log_metrics=lambda values, step=None: asked.append(("metrics", step)),
    )
    assert write_to_tracker(tracker, measured())
    assert [name if name == "params" else step for name, step in asked] == ["params", 10, 20, None]


def test_a_tracker_of_another_kind_is_said_to_get_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert not write_to_tracker(types.SimpleNamespace(flavor="abacus"), measured())


@pytest.mark.slow(minutes=1)
@pytest.mark.skipif(not importlib.util.find_spec("mlflow"), reason="the extra `mlflow` is not installed")
def test_mlflow_on_sqlite_holds_the_curves_and_the_metrics_of_a_run(
    warm_python: WarmPython, new_zenml_store: Path, own_home: dict[str, str], tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(new_zenml_store, own_home["ZENML_LOCAL_STORES_PATH"])
    script = [ROOT / "tests" / "fakes" / "tracked_run.py", tmp_path / "mlflow.db"]
    done = warm_python.run(script, {**own_home, "PYTHONPATH": str(ROOT)}, ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["status"] == "FINISHED" and found["loss"] == [[10, 2.5], [20, 1.25]]
    assert found["metrics"]["tv-manual/fused_finetuned/ndcg_at_10"] == VALUES["fused_finetuned"]
    assert found["params"]["verdict"] == "better" and found["params"]["base_model"] == "***"
    assert b"sk-planted" not in (tmp_path / "mlflow.db").read_bytes()


@pytest.mark.slow(minutes=1)
@pytest.mark.skipif(not importlib.util.find_spec("mlflow"), reason="the extra `mlflow` is not installed")
def test_the_documented_commands_give_the_runs_on_this_machine_a_tracker(
    warm_python: WarmPython, new_zenml_store: Path, own_home: dict[str, str]
) -> None:
    import shutil

    shutil.copytree(new_zenml_store, own_home["ZENML_LOCAL_STORES_PATH"])
    shown = [words[1:] for words in commands() if words[:1] == ["zenml"] and {"experiment-tracker", "stack"} & {*words}]
    assert {words[0] for words in shown} == {"experiment-tracker", "stack"}
    for words in sorted(shown):  # the tracker, then the stack with it
        done = warm_python.run(["-c", f"from zenml.cli.cli import cli; cli({words})"], own_home, ROOT)
        assert done.returncode == 0, done.stdout + done.stderr
    active = "from zenml.client import Client; print(Client().active_stack.experiment_tracker.flavor)"
    assert warm_python.run(["-c", active], own_home, ROOT).stdout.splitlines()[-1] == "mlflow"
