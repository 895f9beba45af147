"""Queries without answers: read from texts and logs, without personal data, labelled by a teacher, compared with generated ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.errors import InputError
from finetrieve.core.rows import LabelledPair
from finetrieve.own_data.differences import differences
from finetrieve.own_data.personal_data import masked, personal_data_in
from finetrieve.own_data.pseudo_labels import FUSED_TEACHER, lists_of_labels, pseudo_label
from finetrieve.own_data.query_files import read_queries
from finetrieve.own_data.settings import QuerySettings
from finetrieve.own_data.teacher import Teacher

PERSONAL = {
    "reset for jane.doe@example.org please": "e-mail address",
    "call me at +43 660 123 45 67": "number",
    "card 4111 1111 1111 1111 declined": "number",
    "AT61 1904 3002 3457 3201 refund": "number",
    "error with sk-proj-abcdEFGH12345678": "key",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a fails": "key",
    "AKIAIOSFODNN7EXAMPLE not accepted": "key",
    "password: hunter2": "key",
    "3f786850e387550fdab836ed7e6dc881de23001b": "key",
}
HARMLESS = [
    "python 3.11.7 on ubuntu 22.04", "error 0x80070005", "sketchification of skateboards", "RTX 4090 24 GB", "12-34", "HTTP 502",
    "sklearn.model_selection.train_test_split stratify", "how do I rotate a token?", "outage of 2024-05-17",
]  # fmt: skip


def test_personal_data_is_found_by_its_form_and_nothing_else_is() -> None:
    assert {text: personal_data_in(text) for text in PERSONAL} == PERSONAL
    assert [text for text in HARMLESS if personal_data_in(text)] == []
    assert masked("ask jane.doe@example.org") == "ask [e-mail address]"


def test_a_text_file_and_a_log_say_the_same_and_personal_data_stays_out(tmp_path: Path) -> None:
    text = tmp_path / "asked.txt"
    text.write_text("How do I reset?\nhow do i  reset\n\nnew valve\nmail jane.doe@example.org\n")
    log = tmp_path / "log.csv"
    log.write_text("search_query;count\nHow do I reset?;2\nnew valve;1\n;7\nmail jane.doe@example.org;1\n")
    for path in (text, log):
        queries, report = read_queries(QuerySettings(path=str(path)))
        assert [(query.text, query.count) for query in queries] == [("How do I reset?", 2), ("new valve", 1)]
        assert report.personal_data == {"e-mail address": 1} and report.asked == 3
        assert "jane" not in json.dumps(report.as_json())
    queries, report = read_queries(QuerySettings(path=str(log), min_count=2))
    assert [query.text for query in queries] == ["How do I reset?"] and report.rare == 1
    assert len(read_queries(QuerySettings(path=str(log), personal_data="keep"))[0]) == 3


def test_clicks_are_counted_per_document(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    rows = [("reset", "a.md", 3), ("Reset?", "b.md", 1), ("reset", "a.md", 2), ("valve", None, 4)]
    log.write_text("".join(json.dumps({"query": q, "clicked": c, "clicks": n}) + "\n" for q, c, n in rows))
    queries, _ = read_queries(QuerySettings(path=str(log)))
    assert [(query.text, query.count, query.clicks) for query in queries] == [
        ("reset", 6, {"a.md": 5, "b.md": 1}),
        ("valve", 4, {}),
    ]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("log.csv", "qurey,count\nx,1\n", "log.csv, line 2: no column with a query: looked for query, question"),
        ("log.csv", "query,count\nx,often\n", "log.csv, line 2: 'count' is 'often', expected a whole number."),
        ("log.jsonl", '{"query": 7}\n', "log.jsonl, line 1: 'query' is 7, expected text."),
        (
            "asked.xlsx",
            "PK\x03\x04\x14\x00[Content_Types].xml\nhow do i\n",
            "is a ZIP archive or an office document. Give a text file",
        ),
        ("asked.txt", "a@b.org\n", "1 row; 1 was left out for personal data."),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, name: str, text: str, expected: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        read_queries(QuerySettings(path=str(tmp_path / name)))
    assert expected in str(caught.value) and "\n" not in str(caught.value)


class TwoQueries:
    """Stands for the teacher: fixed scores of three chunks for two queries."""

    def scores(self, queries: Sequence[str]) -> Iterator[tuple[int, FloatMatrix]]:
        yield 0, np.array([[0.0, 2.0, 1.0], [5.0, 0.0, 5.0]], np.float32)[: len(queries)]


def test_a_query_gets_the_teachers_first_chunks_with_their_shares() -> None:
    teacher = cast(Teacher, TwoQueries())
    found = pseudo_label(["a", "b"], "log", teacher, ["c0", "c1", "c2"], ["t0", "t1", "t2"], 2)
    sure = float(np.e / (np.e + 1))
    assert [(row.query, row.chunk_id) for row in found] == [("a", "c1"), ("a", "c2"), ("b", "c0"), ("b", "c2")]
    assert [row.target for row in found] == pytest.approx([sure, 1 - sure, 0.5, 0.5])
    assert {row.labelled_by for row in found} == {FUSED_TEACHER}
    better = pseudo_label(["a"], "log", teacher, ["c0", "c1", "c2"], ["t0", "t1", "t2"], 2, lambda _, texts: [float(text[1]) for text in texts])  # fmt: skip
    assert [row.chunk_id for row in better] == ["c2", "c1"] and {row.labelled_by for row in better} == {"cross-encoder"}


def test_negatives_and_several_clicks_are_lists_and_a_single_answer_is_none() -> None:
    pairs = [
        LabelledPair(f"{query}{chunk}", query, chunk, score, "log", "exact", "")
        for query, chunk, score in (("a", "c0", 7.0), ("a", "c1", 1.0), ("a", "c2", 0.0), ("b", "c0", 3.0))
    ]
    found = lists_of_labels(pairs)
    assert [(row.query, row.chunk_id) for row in found] == [("a", "c0"), ("a", "c1"), ("a", "c2")]
    assert [row.target for row in found] == pytest.approx([0.75, 0.25, 0.0])


def test_the_differences_say_how_real_queries_ask() -> None:
    texts = {"c": "replace the pump every year"}
    real = [("pump year", "c"), ("how often?", "c")]
    generated = [("How often do I replace the pump?", "c")]
    unit = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    found = differences(real, generated, texts, unit, unit[:1])
    assert (found.real.words, found.real.questions, found.real.keywords, found.real.shared_words) == (2.0, 0.5, 0.5, 0.5)
    assert (found.generated.words, found.generated.questions) == (7.0, 1.0)
    assert found.generated.shared_words == pytest.approx(3 / 7, abs=1e-3)
    assert (found.nearest_generated, found.nearest_real) == (0.5, 0.0)
