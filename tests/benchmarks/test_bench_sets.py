"""Which folders the benchmarks take for sets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench_sets import VARIABLE, bench_folders, task_of


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """A BEIR folder, plain documentation with questions about it, and a folder that is neither."""
    (tmp_path / "beir" / "qrels").mkdir(parents=True)
    (tmp_path / "beir" / "corpus.jsonl").write_text("{}")
    (tmp_path / "beir" / "qrels" / "test.tsv").write_text("")
    for name in ("docs-1.0", "docs-human", "other"):
        (tmp_path / name).mkdir()
    for page in ("a.md", "faq.md"):
        (tmp_path / "docs-1.0" / page).write_text("# Page")
    questions = [{"_id": "q1", "text": "how", "page": "a.md"}, {"_id": "q2", "text": "why", "page": "faq.md"}]
    (tmp_path / "docs-human" / "queries.jsonl").write_text("\n".join(map(json.dumps, questions)))
    return tmp_path


def test_without_folders_those_of_the_variable_are_taken(sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(sets))
    assert [folder.name for folder in bench_folders([])] == ["beir", "docs-1.0"]
    assert [folder.name for folder in bench_folders([], beir_only=True)] == ["beir"]
    assert bench_folders([sets / "other"]) == [sets / "other"]


def test_without_folders_and_variable_it_says_what_to_give(sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(SystemExit, match=VARIABLE):
        bench_folders([])
    with pytest.raises(SystemExit, match="No such folder"):
        bench_folders([sets / "none"])


def test_pages_that_hold_the_questions_are_no_documents(sets: Path, tmp_path: Path) -> None:
    task = task_of(sets / "docs-1.0", tmp_path / "scratch")
    assert task.eval_set is not None
    assert [path.name for path in task.docs.iterdir()] == ["a.md"]
    assert (task.eval_set / "qrels" / "test.tsv").read_text().splitlines()[1:] == ["q1\ta.md\t1"]
    assert task_of(sets / "other", tmp_path / "more").eval_set is None
    assert task_of(sets / "beir", tmp_path / "beir-scratch").eval_set == (sets / "beir").resolve()
