"""Commands that run in forks are processes of their own: what they are given, what they write, and how they end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.warm_python import WarmPython

pytestmark = pytest.mark.slow

TOLD = (
    "import os, sys; print(os.environ['GIVEN'], os.getcwd(), sys.argv[1:], 'zenml' in sys.modules); print('no', file=sys.stderr)"
)


def test_a_command_has_its_own_environment_folder_and_streams(warm_python: WarmPython, tmp_path: Path) -> None:
    told = warm_python.run(["-c", TOLD, "a", "b c"], {"GIVEN": "one"}, tmp_path)
    assert (told.returncode, told.stdout, told.stderr) == (0, f"one {tmp_path} ['a', 'b c'] True\n", "no\n")
    script = tmp_path / "script.py"
    script.write_text("import helper; print(helper.__file__); raise SystemExit(3)")
    (tmp_path / "helper.py").touch()
    told = warm_python.run([script], {}, Path("/"))
    assert (told.returncode, told.stdout) == (3, f"{tmp_path / 'helper.py'}\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_it_as_it_ends_python(warm_python: WarmPython, tmp_path: Path, number: int) -> None:
    told = warm_python.run(["-c", f"import os; os.kill(os.getpid(), {int(number)})"], dict(os.environ), tmp_path)
    assert told.returncode == -number
