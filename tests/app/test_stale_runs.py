"""Notes on the processes that runs live in: which of them stay for the next start to look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetrieve.app import stale_runs


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stale_runs, "_folder", lambda: tmp_path)
    monkeypatch.setattr(stale_runs, "_store", lambda: "sqlite:///here")
    return tmp_path


def test_a_run_that_ends_leaves_no_note(notes: Path) -> None:
    with stale_runs.record_process("retrain-docs-1"):
        assert [path.name for path in notes.iterdir()] == ["retrain-docs-1.json"]
    assert not list(notes.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("database is locked")])
def test_a_run_that_breaks_off_leaves_its_note_so_that_the_next_start_closes_it(
    notes: Path, error: BaseException | type[BaseException]
) -> None:
    with pytest.raises((KeyboardInterrupt, RuntimeError)), stale_runs.record_process("retrain-docs-1"):
        raise error
    assert [path.name for path in notes.iterdir()] == ["retrain-docs-1.json"]
