from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from finetrieve.core.staging import staging_folder
from tests.conftest import ROOT

_WORK = """
import sys, time
from pathlib import Path
from finetrieve.core.staging import staging_folder
with staging_folder(Path(sys.argv[1])) as folder:
    (folder / "model").mkdir()
    print("writing", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_left_goes_with_the_next_and_what_is_worked_in_stays(tmp_path: Path) -> None:
    (tmp_path / ".finetrieve-of-somebody").mkdir()
    with subprocess.Popen([sys.executable, "-c", _WORK, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "writing\n"
        with staging_folder(tmp_path) as folder:
            assert not [path for path in folder.iterdir() if path.name != ".lock"]
            assert len(list(tmp_path.glob("*/model"))) == 1
        process.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.glob("*/model"))) == 1
    with staging_folder(tmp_path):
        assert not list(tmp_path.glob("*/model"))
    assert [path.name for path in tmp_path.iterdir()] == [".finetrieve-of-somebody"]
