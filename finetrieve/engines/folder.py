"""Folders that are written whole or not at all, can be resumed after a kill, and carry our mark."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from finetrieve.core.errors import InputError, writing_to
from finetrieve.core.own_output import VECTORS_MARK

MODEL = "model"
"""The model that turns questions into vectors for them, inside the folder."""
_FORMAT = 2


def read_mark(folder: Path) -> dict[str, Any] | None:
    """Returns what a folder of vectors says of itself, or None where it is none of ours."""
    try:
        facts = json.loads((folder / VECTORS_MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) and {"format", "engine", "key"} <= set(facts) else None


def checked_mark(folder: Path, engine: str) -> dict[str, Any]:
    """Returns what a folder of vectors says of itself.

    Raises:
        InputError: It is none of ours, of another engine, or of another version of Finetrieve.
    """
    facts = read_mark(folder)
    if facts is None:
        cut_off = " Its writing was cut off: run the same `index` command again." if _unfinished(folder).is_dir() else ""
        raise InputError(f"There are no vectors of ours in '{folder}': it has no {VECTORS_MARK}.{cut_off}")
    if facts["format"] != _FORMAT:
        raise InputError(f"The vectors in '{folder}' were written by another version of Finetrieve. Write them anew.")
    if facts["engine"] != engine:
        raise InputError(f"'{folder}' was written for {facts['engine']}, not for {engine}: name it {facts['engine']}:{folder}.")
    return facts


def check_vector_folder(folder: Path) -> None:
    """Raises an InputError unless a folder is new, empty, or has our mark."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and read_mark(folder) is None)):
        raise InputError(f"'{folder}' exists and holds something that is not ours; give a new or empty folder.")


def write_folder(folder: Path, facts: Mapping[str, Any], write: Callable[[Path], None]) -> bool:
    """Writes a folder and puts it in its place when it is whole; returns False where the same one is there already.

    What `write` left when it was cut off is given to it again, as long as the key is the same.

    Args:
        folder: New, empty, or with our mark; what is there stays until the new one is whole.
        facts: Its mark, with the `engine` and the `key`, which stands for everything that the content depends on.
        write: Fills the folder that it is given, and may find a part of it done.

    Raises:
        InputError: The folder holds something else, or cannot be written.
    """
    folder = folder.absolute()
    check_vector_folder(folder)
    marked = {"format": _FORMAT, **facts}
    if (found := read_mark(folder)) is not None and found["key"] == facts["key"]:
        return False
    work = _unfinished(folder)
    with writing_to(f"'{folder}'"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not _is_work_on(work, str(facts["key"])):
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            (work / ".key").write_text(str(facts["key"]), encoding="utf-8")
        write(work)
        (work / VECTORS_MARK).write_text(json.dumps(marked, indent=1) + "\n", encoding="utf-8")
        (work / ".key").unlink()
        _replace(folder, work)
    return True


def _unfinished(folder: Path) -> Path:
    """Returns where a folder is written until it is whole: beside it, so that moving it is one step."""
    folder = folder.absolute()
    return folder.with_name(f".{folder.name}.unfinished")


def whole_name(work: Path) -> str:
    """Returns the name that a folder will have when it is whole."""
    return work.name.removeprefix(".").removesuffix(".unfinished")


def _is_work_on(work: Path, key: str) -> bool:
    try:
        return (work / ".key").read_text(encoding="utf-8") == key
    except OSError:
        return False


def _replace(folder: Path, work: Path) -> None:
    old = folder.with_name(f".{folder.name}.replaced")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    work.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def link_tree(source: Path, target: Path) -> None:
    """Copies a folder; its files take no further space where the file system has hard links."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, copy_function=_link)


def _link(source: str, target: str) -> None:
    with contextlib.suppress(OSError):
        os.link(source, target)
        return
    shutil.copy2(source, target)
