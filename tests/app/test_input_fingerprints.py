"""Fingerprints of what lies outside the configuration: what the cache keys see of it."""

from __future__ import annotations

from pathlib import Path

from finetrieve.app.config import DEFAULT_CONFIG, Config, load_config
from finetrieve.app.preflight import check
from tests.small_base import write_small_base


def test_a_teacher_whose_weights_change_at_the_same_place_is_another_input(tmp_path: Path) -> None:
    docs, teacher = tmp_path / "docs", write_small_base(tmp_path / "teacher")
    docs.mkdir()
    (docs / "start.md").write_text("# Start\n\nOpen the lid and press the red button.\n")
    raw = load_config(DEFAULT_CONFIG, docs).model_dump(mode="json")
    raw["training"]["teacher"] = str(teacher)
    config = Config.model_validate(raw)
    before = check("retrain", config, None)
    (teacher / "model.safetensors").write_bytes((teacher / "model.safetensors").read_bytes()[:-4] + b"\1\2\3\4")
    after = check("retrain", config, None)
    assert before.teacher and before.teacher != after.teacher
    assert before.model_copy(update={"teacher": after.teacher}) == after
