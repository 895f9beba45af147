"""What commands import before their first line: a library too many is a second of silence."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest
from click.testing import CliRunner

from finetrieve.cli.main import main
from tests.conftest import ROOT
from tests.imported_modules import imported

HEAVY = {
    "torch",
    "transformers",
    "sentence_transformers",
    "distilabel",
    "argilla",
    "numpy",
    "pyarrow",
    "sklearn",
    "zenml",
    "pydantic",
}


@pytest.mark.parametrize(
    "modules",
    [
        "finetrieve.cli.main, finetrieve.cli.models, finetrieve.cli.ask, finetrieve.cli.dashboard",
        "finetrieve.registry.listing, finetrieve.core.model_directory",
    ],
)
def test_nothing_heavy_is_imported_for_a_command_or_a_listing(modules: str) -> None:
    assert imported(f"import {modules}", *HEAVY) == set()


@pytest.mark.slow
def test_versions_are_listed_without_what_computes() -> None:
    code = (
        "import sys\n"
        "from finetrieve.app.zenml_environment import quiet_zenml\n"
        "quiet_zenml()\n"
        "import zenml.client\n"
        "before = set(sys.modules)\n"
        "import finetrieve.registry.versions, finetrieve.registry.listing\n"
        f"print(sorted({HEAVY!r} & (set(sys.modules) - before)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    assert eval(done.stdout) == []


def test_a_command_does_not_go_through_what_it_imports_after_every_700_objects() -> None:
    before = gc.get_threshold()
    try:
        gc.set_threshold(700)
        assert CliRunner().invoke(main, ["--list"]).exit_code == 0
        assert gc.get_threshold()[0] > 10_000
    finally:
        gc.set_threshold(*before)


def test_a_command_ends_without_going_through_all_objects_again() -> None:
    code = "import atexit, gc; atexit.register(lambda: print('frozen', gc.get_freeze_count() > 0))"
    code += "; from finetrieve.cli.main import main; main(['--list'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "frozen True"
