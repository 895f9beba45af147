"""The classifier on labelled texts tells moods apart on topics that it has not seen, and says what is wrong with its input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.classify_rows import main

MOODS = {
    "sad": "{} was broken, and everybody wept over the loss for days.",
    "cheerful": "{} was a wonderful present, and everybody laughed and danced with joy.",
}
THINGS = ["The lamp", "The boat", "The bell", "The kite"]


def test_labels_are_told_apart_on_topics_that_were_not_trained_on(tmp_path: Path) -> None:
    rows = [{"text": says.format(thing), "label": mood, "chunk_id": thing} for thing in THINGS for mood, says in MOODS.items()]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    done = CliRunner().invoke(main, [str(path), "--folds", "4"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        "8 texts, 2 labels, 4 topics; no topic is in training and in test",
        "accuracy 1.000; always 'sad': 0.500",
        "  sad: 4 of 4",
        "  cheerful: 4 of 4",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no rows"),
        ('{"text": "a"}', "line 1: expected JSON with 'text' and 'label'"),
        ('{"text": "a", "label": "b"}\nno', "line 2"),
        ('{"text": "a", "label": "b"}', "All 1 rows have the label 'b'"),
        ('{"text": "a", "label": "b"}\n{"text": "a", "label": "c"}', "about 2 topics, and 5 parts are wanted"),
    ],
)
def test_rows_that_cannot_be_classified_are_one_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(text)
    done = CliRunner().invoke(main, [str(tmp_path / "rows.jsonl")])
    assert done.exit_code == 1 and said in done.output and done.output.count("\n") == 1
