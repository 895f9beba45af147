"""What `--out` writes, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finetrieve.app.results import check_replaceable, write_queries, write_results
from finetrieve.core.errors import InputError
from finetrieve.core.own_output import MODEL_MARK
from finetrieve.core.rows import Chunk, GeneratedQuery
from finetrieve.corpus.report import CorpusReport
from finetrieve.evaluation.question_files import read_question_file
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.reporting.report import render_report
from finetrieve.reporting.report_details import ReportDetails
from finetrieve.retrieval.base_model import resolve_base_model

METRICS = EvaluationResult.model_validate({"eval_sets": {}, "verdict": {}})


@pytest.fixture(scope="module")
def report() -> str:
    return render_report(EvaluationResult(), ReportDetails())


@pytest.mark.slow
def test_results_are_written_with_both_forms_of_the_model_and_replaced_by_the_next_run(tmp_path: Path, report: str) -> None:
    model = Path(resolve_base_model("embedded"))
    write_results(tmp_path, METRICS, report, model, ["A text."])
    kept = tmp_path / "model" / "model.safetensors"
    assert kept.samefile(tmp_path / "model" / "late" / "model.safetensors")
    assert (tmp_path / "model" / MODEL_MARK).is_file()
    (tmp_path / "notes.txt").write_text("mine")
    check_replaceable(tmp_path)
    write_results(tmp_path, METRICS.model_copy(update={"corpus": CorpusReport(documents=1)}), report, model)
    assert json.loads((tmp_path / "metrics.json").read_text())["corpus"] == {"documents": 1}
    assert not (tmp_path / "model" / "late" / "token_idf.json").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.json", "model", "notes.txt", "report.html"]


def test_a_model_of_an_earlier_version_is_known_by_its_training_record(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "training_record.json").write_text('{"base_model": "embedded", "loss_name": "mnrl"}')
    check_replaceable(tmp_path)


def test_generated_queries_are_written_as_questions_and_replaced_by_the_next_run(tmp_path: Path) -> None:
    chunk = Chunk("c1", "guide/pump.md", "pump.md", "Pump", "Cleaning", "Rinse it.\nThen dry it.", 5, 0)
    queries = [
        GeneratedQuery(f"q{row}", "c1", f"How do I clean pump {row}?", None, "how_to", "rules", "rules 1") for row in range(2)
    ]
    for found in (queries, queries[:1], []):
        path = write_queries(tmp_path, found, [chunk])
        assert len(path.read_text().splitlines()) == len(found)
    write_queries(tmp_path, queries, [chunk])
    read = read_question_file(path)
    assert list(read.queries.values()) == [query.query for query in queries]
    assert {judgement.document for judgement in read.judgements["test"]} == {"guide/pump.md"}
    assert [path.name for path in tmp_path.iterdir()] == ["queries.jsonl"]

    path.write_text('{"question": "mine", "page": "a.md"}\n')
    with pytest.raises(InputError, match=r"queries.jsonl'.*not written by Finetrieve"):
        write_queries(tmp_path, queries, [chunk])
    check_replaceable(tmp_path)  # a run that evaluates leaves it alone


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model/model.safetensors", "weights of somebody else"),
        ("model/training_record.json", '{"epochs": 3}'),
        ("model", "a file"),
        ("metrics.json", '{"accuracy": 0.9}'),
        ("metrics.json", "not even JSON"),
        ("report.html", "<h1>My report</h1>"),
    ],
)
def test_what_is_not_ours_is_refused_and_left_as_it_is(tmp_path: Path, report: str, name: str, content: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    with pytest.raises(InputError, match="not written by Finetrieve"):
        check_replaceable(tmp_path)
    with pytest.raises(InputError, match="not written by Finetrieve"):
        write_results(tmp_path, METRICS, report, None)
    assert path.read_text() == content
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [path]


def test_a_link_to_a_model_elsewhere_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / MODEL_MARK).touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model").symlink_to(elsewhere)
    with pytest.raises(InputError):
        check_replaceable(tmp_path / "out")
