"""Several base models in one command: trained and compared under one protocol, one of them broken, and the best registered."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import RunCommand
from tests.pipelines.test_retrain import write_config, write_docs
from tests.small_base import write_small_base


def cached(output: str) -> set[str]:
    found = re.search(r"from the cache \(([^)]*)\)", output)
    return set(found.group(1).split(", ")) if found else set()


@pytest.mark.slow(minutes=2)
def test_several_base_models_are_trained_and_compared_and_a_broken_one_loses_no_other(
    warm_command: RunCommand, tmp_path: Path
) -> None:
    docs, config, out = write_docs(tmp_path / "docs"), write_config(tmp_path / "config.yaml", small=True), tmp_path / "out"
    first, second, broken = (write_small_base(tmp_path / name) for name in ("base", "second", "broken"))
    (second / "README.md").write_text("Another card.\n")
    (second / "config.json").write_text(json.dumps({**json.loads((second / "config.json").read_text()), "layer_norm_eps": 0.1}))
    (broken / "config.json").write_text(
        json.dumps({**json.loads((broken / "config.json").read_text()), "num_attention_heads": 7})
    )
    named = [argument for place in (first, broken, second) for argument in ("--base-model", place)]
    arguments = ("--pipeline", "retrain", "--config", config, "--docs", docs, "--out", out)

    result = warm_command(*arguments, *named)
    assert result.returncode == 0, result.stdout + result.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    trials = {Path(trial["base_model"]).name: trial for trial in metrics["base_models"]["trials"]}
    assert set(trials) == {"base", "second", "broken"}
    assert trials["broken"]["error"] and "arms" not in trials["broken"]
    ranked = [trial for trial in metrics["base_models"]["trials"] if not trial.get("error")]
    assert [trial.get("winner", False) for trial in ranked] == [True, False]
    best, other = ranked
    assert best["arms"][best["arm"]]["value"] >= other["arms"][other["arm"]]["value"]
    assert other["low"] <= other["delta"] <= other["high"] and other["delta"] <= 0
    assert {"base", "finetuned", "bm25"} <= set(other["arms"]) and other["seconds"] > 0 and other["model_bytes"] > 1e6
    assert metrics["training"]["base_model"] == best["base_model"]
    report = (out / "report.html").read_text()
    assert 'id="base-models"' in report and "Without figures" in report and ", the best" in report
    assert "Base models, by their best trained arm" in result.stdout

    shutil.rmtree(out)
    again = warm_command(*arguments, *named)
    assert again.returncode == 0, again.stdout + again.stderr
    assert {"train_base_model_1", "train_base_model_3", "evaluate_base_model_1"} <= cached(again.stdout)
    assert "train_base_model_2" not in cached(again.stdout)  # what failed is tried again

    two = warm_command(*arguments[:-2], "--base-model", first, "--base-model", second)
    assert two.returncode == 0, two.stdout + two.stderr
    assert {"train_base_model_1", "train_base_model_2"} <= cached(two.stdout)
    twice = warm_command(*arguments[:-2], "--base-model", first, "--base-model", first)
    assert twice.returncode == 2 and "twice; name each base model once" in twice.stderr
    shown = warm_command("models", "show", "1")
    assert Path(best["base_model"]).name in shown.stdout
