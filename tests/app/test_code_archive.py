from __future__ import annotations

from pathlib import Path

import pytest
from zenml.utils import code_utils

from finetrieve.app.remote.code_archive import keep_hidden_files_here


def test_hidden_files_stay_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("run.py", "finetrieve/core/rows.py", ".env", ".env.local", ".venv/bin/python", "configs/.env"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("OPENAI_API_KEY=sk-planted")
    monkeypatch.setattr(code_utils, "CodeArchive", code_utils.CodeArchive)  # put back after the test
    keep_hidden_files_here()
    assert set(code_utils.CodeArchive(str(tmp_path)).get_files()) == {"run.py", "finetrieve/core/rows.py"}
