"""Paths: the project, the user's cache, folders that last as long as the process, and settings that are paths."""

from __future__ import annotations

import os
import stat
import tempfile
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from finetrieve.core.errors import InputError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

ROOT = Path(__file__).resolve().parents[2]
"""The project's folder: configs, pipelines and steps lie beside the library."""
PathSetting = "finetrieve.path"
"""Marks an annotation of another type than `str` as a path of the configuration: `Annotated[Path, PathSetting]`."""
ConfigPath = Annotated[str, PathSetting]
"""A setting that is, or may be, a path: a relative one is looked up beside the YAML file, then in the working directory."""

_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def is_path_field(field: FieldInfo) -> bool:
    """Whether a field of a settings class is, or may be, a path."""
    return PathSetting in field.metadata or _allows_path(field.annotation)


def _allows_path(annotation: Any) -> bool:
    return annotation is ConfigPath or any(map(_allows_path, typing.get_args(annotation)))


def refuse_special_file(path: Path) -> None:
    """Refuses what has a path and is no file or folder; opening a pipe would wait for whoever writes into it.

    Raises:
        InputError: It is a named pipe, a socket or a device.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return  # not there, or out of reach: said by whoever opens it
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        kind = "a named pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
        raise InputError(f"'{path}' is {kind}; expected a file or a folder. Save what comes out of it in a file, and give that.")


def user_cache() -> Path:
    """Returns the user's cache directory, which need not exist: XDG_CACHE_HOME, or `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def scratch_folder() -> Path:
    """Returns a new, empty folder in the system's place for temporary files; it is removed when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="finetrieve-", ignore_cleanup_errors=True)
    _KEPT.append(folder)
    return Path(folder.name)
