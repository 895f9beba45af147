"""Generation as the tests call and read it: with lists of rows in place of tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steps.generation import run
from steps.generation.ledger import Tally
from steps.generation.settings import GenerationSettings
from steps.progress import Progress
from steps.rows import Chunk, Reject, Triplet
from steps.tables import to_rows, to_table


@dataclass(frozen=True)
class Generated:
    triplets: list[Triplet]
    rejects: list[Reject]
    report: dict[str, Any]
    tallies: dict[str, Tally]


def generate(
    chunks: list[Chunk], settings: GenerationSettings, seed: int, folder: Path, on_progress: Progress | None = None
) -> Generated:
    made = run.generate(to_table(chunks, Chunk), settings, seed, folder, on_progress)
    return Generated(to_rows(made.triplets, Triplet), to_rows(made.rejects, Reject), made.report, made.tallies)
