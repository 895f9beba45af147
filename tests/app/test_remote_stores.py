"""Nothing assumes the local disk: artifacts in an S3 store, ZenML's database in MariaDB where there is one, steps in this process."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fakes.world import World
from tests.fakes.zenml import MariaDb
from tests.pipelines.test_retrain import ALWAYS, ran, write_config, write_docs
from tests.warm_python import WarmPython

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MariaDb.missing()), reason=MariaDb.missing()),
    pytest.mark.skipif(not find_spec("s3fs"), reason="pip install -e '.[s3]'"),
    pytest.mark.skipif(not find_spec("moto"), reason="pip install -e '.[dev]'"),
]


@pytest.mark.slow(minutes=2)
def test_a_model_trained_into_a_remote_store_is_found_cached_and_exported_again(tmp_path: Path, warm_python: WarmPython) -> None:
    docs, config = write_docs(tmp_path / "docs"), write_config(tmp_path / "tiny.yaml", small=True)
    arguments = ("--pipeline", "retrain", "--config", config, "--docs", docs)
    with World(tmp_path / "world", warm_python) as world:
        assert world.database == "MariaDB"
        here = {"orchestrator": {"flavor": "local"}, "steps": {}, "docker": {}}
        world.run("stack", "register", world.stack_file("kubernetes", {}, **here))

        first = world.run(*arguments, "--out", tmp_path / "out")
        assert (tmp_path / "out" / "model" / "model.safetensors").is_file()
        assert (tmp_path / "out" / "report.html").read_text().lstrip().lower().startswith("<!doctype html>")
        assert "train_model" in ran(first)
        again = world.run(*arguments)
        assert ran(again) <= ALWAYS
        assert "Report: s3://artifacts/finetrieve/" in again and "Model:  s3://artifacts/finetrieve/" in again

        world.run("models", "export", "1", "--to", tmp_path / "exported")
        written, stored = (tmp_path / folder / "model.safetensors" for folder in ("out/model", "exported"))
        assert written.read_bytes() == stored.read_bytes()
