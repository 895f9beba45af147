"""A trained model on disk, as it crosses from step to step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

VERSION_LABEL = "Version"
"""The label of a version's name in its provenance."""


@dataclass(frozen=True)
class ModelDirectory:
    """A sentence-transformers model on disk."""

    path: Path
