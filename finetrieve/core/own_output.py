"""How folders and reports that Finetrieve wrote are told from other people's."""

from __future__ import annotations

from pathlib import Path

MODEL_MARK = ".finetrieve"
"""In a model folder that we wrote: it may be replaced."""
VECTORS_MARK = "finetrieve.json"
"""In a folder of vectors that we wrote."""
FOLDER_MARKS = (MODEL_MARK, VECTORS_MARK)
_MADE_BY = b"Made by Finetrieve."
_END_OF_REPORT = 4_096
"""Bytes at the end of a report that name its maker."""


def is_own_report(path: Path) -> bool:
    """Returns whether a file is a report of ours; reads its end alone."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _END_OF_REPORT))
            return _MADE_BY in file.read()
    except OSError:
        return False
