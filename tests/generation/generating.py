"""Generation as the tests call and read it: with lists of rows in place of tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetrieve.core.generation_report import Usage
from finetrieve.core.progress import Progress
from finetrieve.core.rows import Chunk, GeneratedQuery, Reject
from finetrieve.core.tables import to_rows, to_table
from finetrieve.generation import generate as run
from finetrieve.generation.settings import GenerationSettings


@dataclass(frozen=True)
class Generated:
    queries: list[GeneratedQuery]
    rejects: list[Reject]
    report: dict[str, Any]
    usage: dict[str, Usage]


def generate(
    chunks: list[Chunk], settings: GenerationSettings, seed: int, folder: Path, on_progress: Progress | None = None
) -> Generated:
    made = run.generate(to_table(chunks, Chunk), settings, seed, folder, on_progress)
    return Generated(to_rows(made.queries, GeneratedQuery), to_rows(made.rejects, Reject), made.report.as_json(), made.usage)


def folder_chunks(count: int) -> list[Chunk]:
    """Returns chunks about folders, each of which says what can be done with its own."""
    deeds = ["rename", "delete", "export", "share", "archive"]
    made = []
    for number in range(count):
        deed = deeds[number % len(deeds)]
        text = f"To {deed} the folder {number}, open the menu and choose {deed.capitalize()}. You can lock the folder {number}."
        made.append(Chunk(f"c{number}", f"d{number}", "manual.md", f"Folder {number}", "", text, 30, 0))
    return made
