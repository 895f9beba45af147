"""The step that loads pairs of one's own says what it leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetrieve.app.zenml_environment import quiet_zenml
from finetrieve.core.rows import Chunk, DocumentEntry, DuplicateChunk
from finetrieve.core.tables import to_table
from finetrieve.own_data.settings import PairSettings

TEXT = "The pump moves water from the tank to the boiler."


def test_pairs_with_personal_data_are_counted_on_the_terminal_and_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet_zenml()  # ZenML asks where a step's code is when the step is imported
    from steps.own_data import load_pairs

    path = tmp_path / "tickets.csv"
    path.write_text(f"query,positive\nwhat moves water?,{TEXT}\nwrite to jane.doe@acme.example,{TEXT}\n", encoding="utf-8")
    chunks = to_table([Chunk("c1", "pump.md", "pump.md", "", "", TEXT, 12, 0)], Chunk)
    documents, duplicates = to_table([], DocumentEntry), to_table([], DuplicateChunk)

    pairs, _, _, report = load_pairs.entrypoint(
        chunks, documents, duplicates, [PairSettings(path=str(path))], [], "embedded", "any"
    )

    assert pairs.column("query").to_pylist() == ["what moves water?"]
    assert sum(report.sets["tickets"].personal_data.values()) == 1
    said = capsys.readouterr().out
    assert "tickets: 1 pair left out for personal data" in said and "jane.doe" not in said
