from __future__ import annotations

from pathlib import Path

import pytest
from zenml.config.cache_policy import CachePolicy
from zenml.utils import code_utils

from finetrieve.app.config import load_config
from finetrieve.app.remote.code import CODE, _pin_files, leave_out_hidden_files
from finetrieve.core.paths import ROOT


def digest_of(files: list[str]) -> str:
    environment: dict[str, str] = _pin_files(CachePolicy(file_dependencies=files))["environment"]
    return environment[CODE]


def test_the_content_of_the_files_is_in_the_key_and_not_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    for folder, text in (("here", "x = 1\n"), ("there", "x = 1\n")):
        (tmp_path / folder / "helper.py").write_text(text)
    monkeypatch.setattr("finetrieve.app.remote.code.ROOT", tmp_path / "here")
    here = digest_of(["helper.py"])
    monkeypatch.setattr("finetrieve.app.remote.code.ROOT", tmp_path / "there")
    assert digest_of(["helper.py"]) == here
    (tmp_path / "there" / "helper.py").write_text("x = 2\n")
    assert digest_of(["helper.py"]) != here


def test_nothing_that_only_the_code_has_is_left_in_the_policy() -> None:
    options = _pin_files(CachePolicy(file_dependencies=["run.py"], cache_func="finetrieve.core.code_hash.library_versions"))
    assert options["cache_policy"] == {"file_dependencies": [], "cache_func": "platform.python_version"}


def test_a_step_that_is_never_cached_is_left_as_it_is() -> None:
    assert _pin_files(None) == {}
    assert _pin_files(CachePolicy()) == {}


def test_paths_inside_the_project_travel_relative_to_it_and_others_are_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    config = load_config(ROOT / "configs" / "default.yaml")
    assert [str(item.path) for item in config.relative_to_project().evaluation.eval_sets] == ["configs/demo-questions"]
    elsewhere = load_config(ROOT / "configs" / "default.yaml", docs=tmp_path / "docs")
    assert elsewhere.relative_to_project().source == elsewhere.source
    monkeypatch.chdir(tmp_path)
    assert load_config(ROOT / "configs" / "default.yaml", docs=Path("docs")).relative_to_project().source == elsewhere.source


def test_hidden_files_stay_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("run.py", "finetrieve/core/rows.py", ".env", ".env.local", ".venv/bin/python", "configs/.env"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("OPENAI_API_KEY=sk-planted")
    monkeypatch.setattr(code_utils, "CodeArchive", code_utils.CodeArchive)  # put back after the test
    leave_out_hidden_files()
    assert set(code_utils.CodeArchive(str(tmp_path)).get_files()) == {"run.py", "finetrieve/core/rows.py"}
