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


ENDS = """
import atexit, sys, threading, time
atexit.register(print, "at exit")
threading.Thread(target=lambda: (time.sleep(0.2), print("a thread"))).start()
print("the code", end=" ")
"""


@pytest.mark.parametrize(
    ("end", "code", "errors"), [("", 0, ""), ("sys.exit()", 0, ""), ("sys.exit('no')", 1, "no\n"), ("1/0", 1, "Zero")]
)
def test_it_ends_as_python_does(warm_python: WarmPython, tmp_path: Path, end: str, code: int, errors: str) -> None:
    told = warm_python.run(["-c", f"{ENDS}\n{end}"], dict(os.environ), tmp_path)
    assert (told.returncode, told.stdout) == (code, "the code a thread\nat exit\n")
    assert errors in told.stderr and bool(errors) == bool(told.stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_it_as_it_ends_python(warm_python: WarmPython, tmp_path: Path, number: int) -> None:
    told = warm_python.run(["-c", f"import os; os.kill(os.getpid(), {int(number)})"], dict(os.environ), tmp_path)
    assert told.returncode == -number
