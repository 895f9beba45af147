"""Pairs in the form that Argilla's client writes to disk, read by that client into a real server and out again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finetrieve.annotation.client import Connection
from finetrieve.annotation.disk_form import write_disk_form
from finetrieve.core.rows import Chunk, Pair

CHUNKS = [
    Chunk(
        "c0",
        "pump.md",
        "pump.md",
        "The pump",
        "Use > Daily",
        "The pump **moves** water.\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        9,
        0,
    ),
    Chunk("c1", "valve.md", "valve.md", "The valve", "", "The valve stops water.", 7, 0),
]
PAIRS = [
    (Pair("what moves water?", "c0", "train", "generated", "what_is", negative_query="who sells pumps?"), CHUNKS[0]),
    (Pair("what moves water?", "c1", "train", "own", "tickets"), CHUNKS[1]),
    (Pair("stop «water» \u2028 now", "c1", "test", "held_out", ""), CHUNKS[1]),
]


def test_each_pair_is_a_record_once(tmp_path: Path) -> None:
    write_disk_form(tmp_path, "org/pumps, version 3", [*PAIRS, PAIRS[0]])
    assert json.loads((tmp_path / ".argilla" / "dataset.json").read_text())["name"] == "org-pumps-version-3"
    records = json.loads((tmp_path / "records.json").read_text())
    assert [row["suggestions"]["query"]["value"] for row in records][:2] == ["what moves water?", "what moves water?"]
    assert len({row["id"] for row in records}) == len(records) == 3
    assert [row["metadata"]["split"] for row in records] == ["train", "train", "test"]


@pytest.mark.slow
def test_argillas_own_client_loads_it_into_a_server_and_writes_the_same_again(server: Connection, tmp_path: Path) -> None:
    rg = pytest.importorskip("argilla")
    (tmp_path / "ours").mkdir()
    write_disk_form(tmp_path / "ours", "disk form", PAIRS)
    client = rg.Argilla(api_url=server.url, api_key=server.api_key)
    loaded = rg.Dataset.from_disk(str(tmp_path / "ours"), workspace=client.workspaces.default.name, client=client)
    try:
        assert loaded.name == "disk-form" and [question.name for question in loaded.settings.questions][:2] == [
            "verdict",
            "query",
        ]
        (tmp_path / "theirs").mkdir()
        loaded.to_disk(str(tmp_path / "theirs"))
        ours, theirs = (
            {row.pop("id"): row for row in json.loads((tmp_path / who / "records.json").read_text())}
            for who in ("ours", "theirs")
        )
        for row in theirs.values():
            assert row.pop("_server_id")
        assert theirs == ours
        kept = ("guidelines", "allow_extra_metadata", "distribution")
        settings = [json.loads((tmp_path / who / ".argilla" / "settings.json").read_text()) for who in ("ours", "theirs")]
        assert [settings[0][key] for key in kept] == [settings[1][key] for key in kept]
        names = [[row["name"] for kind in ("fields", "questions", "metadata") for row in found[kind]] for found in settings]
        assert names[0] == names[1]
    finally:
        loaded.delete()
