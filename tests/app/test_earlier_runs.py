"""What a run takes from earlier ones on the same documents."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.conftest import ROOT
from tests.warm_python import WarmPython


def test_the_pairs_are_those_of_the_run_that_trained_the_model(
    warm_python: WarmPython, new_zenml_store: Path, own_home: dict[str, str]
) -> None:
    """A later run that was interrupted may hold out queries that the model learnt from."""
    shutil.copytree(new_zenml_store, own_home["ZENML_LOCAL_STORES_PATH"])
    script = [ROOT / "tests" / "fakes" / "training_and_later_split.py"]
    done = warm_python.run(script, {**own_home, "PYTHONPATH": str(ROOT)}, ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "model: first pairs: first"
