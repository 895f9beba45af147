"""Unfinished trainings: only the same one goes on, and only from a checkpoint that is whole."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, Pair
from finetrieve.training.checkpoints import (
    clear_disk_errors,
    last_checkpoint,
    mark_complete,
    run_folder,
    training_fingerprint,
    write_atomically,
)
from finetrieve.training.settings import TrainingSettings

CHUNKS = [Chunk("c", "d", "", "Title", "", "text", 3, 0)]
PAIRS = [Pair("query", "c", "train", "generated", "")]


def checkpoint(folder: Path, step: int, complete: bool = True) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "optimizer.pt").write_bytes(b"x" * 100)
    if complete:
        mark_complete(path)
    return path


def test_the_newest_whole_checkpoint_is_taken_and_torn_ones_are_deleted(tmp_path: Path) -> None:
    checkpoint(tmp_path, 9)
    whole = checkpoint(tmp_path, 10)
    unmarked = checkpoint(tmp_path, 11, complete=False)
    shorter = checkpoint(tmp_path, 12)
    (shorter / "optimizer.pt").write_bytes(b"x" * 50)
    assert last_checkpoint(tmp_path) == whole
    assert not unmarked.exists()
    assert not shorter.exists()


def test_without_a_checkpoint_there_is_none(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None


@pytest.mark.parametrize(
    "change",
    [
        {"pairs": [Pair("another query", "c", "train", "generated", "")]},
        {"pairs": [Pair("query", "c", "dev", "generated", "")]},
        {"chunks": [replace(CHUNKS[0], text="edited")]},
        {"settings": TrainingSettings(epochs=7)},
        {"settings": TrainingSettings(seeds=2)},
        {"seed": 2},
    ],
)
def test_anything_that_changes_the_result_changes_the_fingerprint(change: dict[str, object], tiny_model: Path) -> None:
    same = {"pairs": PAIRS, "chunks": CHUNKS, "settings": TrainingSettings(), "base_model": str(tiny_model), "seed": 1}
    assert training_fingerprint(**same) == training_fingerprint(**same)  # type: ignore[arg-type]
    assert training_fingerprint(**{**same, **change}) != training_fingerprint(**same)  # type: ignore[arg-type]


def test_a_run_folder_goes_after_success_and_stays_after_a_failure(tmp_path: Path) -> None:
    with run_folder(tmp_path, "0" * 64) as folder:
        assert folder.is_dir()
    assert not folder.exists()
    with pytest.raises(KeyboardInterrupt), run_folder(tmp_path, "0" * 64) as folder:
        raise KeyboardInterrupt
    assert folder.is_dir()


def test_the_same_training_cannot_run_twice_at_once(tmp_path: Path) -> None:
    with run_folder(tmp_path, "0" * 64), pytest.raises(InputError, match="Another process"), run_folder(tmp_path, "0" * 64):
        pass


def test_folders_that_nobody_came_back_to_are_deleted_and_strangers_are_not(tmp_path: Path) -> None:
    old, recent, stranger = tmp_path / f"run-{'1' * 16}", tmp_path / f"run-{'2' * 16}", tmp_path / "thesis"
    for folder in (old, recent, stranger):
        folder.mkdir()
    for folder in (old, stranger):
        os.utime(folder, (time.time() - 30 * 24 * 3600,) * 2)
    with run_folder(tmp_path, "0" * 64):
        assert not old.exists()
        assert recent.exists()
        assert stranger.exists()


@pytest.mark.parametrize(
    ("error", "clear"),
    [
        (OSError(28, "No space left on device"), True),
        (RuntimeError("[enforce fail at inline_container.cc] PytorchStreamWriter failed writing file data/3"), True),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True),
        (RuntimeError("shapes do not match"), False),
    ],
)
def test_a_full_disk_is_one_clear_line_and_other_errors_stay_themselves(error: Exception, clear: bool) -> None:
    expected = pytest.raises(InputError if clear else RuntimeError, match="No space left in '/models'" if clear else "shapes")
    with expected, clear_disk_errors(Path("/models")):
        raise error


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"one")
    write_atomically(tmp_path / "a", b"two")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"two")]
