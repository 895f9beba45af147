"""The code that travels to a cluster through the artifact store: nothing hidden goes with it."""

from __future__ import annotations

from pathlib import Path

from zenml.utils import code_utils


class VisibleFiles(code_utils.CodeArchive):
    """ZenML's archive of the project, which takes what git does not ignore, and outside a git checkout everything."""

    def get_files(self) -> dict[str, str]:
        """Returns place in the archive -> file, without hidden ones: `.env` holds keys, `.venv` and `.git` gigabytes."""
        files: dict[str, str] = super().get_files()
        return {place: file for place, file in files.items() if not any(part.startswith(".") for part in Path(place).parts)}


def keep_hidden_files_here() -> None:
    """Makes ZenML ship the visible files only; it has no setting for that."""
    code_utils.CodeArchive = VisibleFiles  # type: ignore[misc]  # ZenML looks the class up where it is replaced here
