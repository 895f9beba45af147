from __future__ import annotations

import subprocess
import sys

import nbformat
import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_runs_and_defines_nothing(notebook) -> None:  # type: ignore[no-untyped-def]
    cells = [cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    code = "\n\n".join(cells)
    assert "def " not in code and "class " not in code
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert "chunks" in result.stdout
