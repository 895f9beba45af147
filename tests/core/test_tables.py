from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from finetrieve.core.rows import Chunk, GeneratedQuery, embedded_text
from finetrieve.core.tables import RowFile, Rows, schema_of, to_rows, to_table

TRIPLETS = [
    GeneratedQuery("t1", "c1", "How do I reset it?", None, "how_to", "rules", "rules-1"),
    GeneratedQuery("t2", "c2", "reset \U0001f600 \x00", "something else", "keywords", "rules", "rules-1"),
]


def test_rows_come_back_from_a_table_as_they_went_in() -> None:
    assert to_rows(to_table(TRIPLETS, GeneratedQuery), GeneratedQuery) == TRIPLETS


@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_rows_that_go_to_a_file_one_by_one_come_back_in_order_also_when_the_file_is_gone(tmp_path: Path, count: int) -> None:
    rows = [replace(TRIPLETS[number % 2], id=f"t{number}") for number in range(count)]
    file = RowFile(tmp_path / "rows.arrow", GeneratedQuery, batch_rows=2)
    file.extend(rows[:1])
    file.extend(rows[1:])
    table = file.table()
    (tmp_path / "rows.arrow").unlink()
    found = Rows(table, GeneratedQuery)
    assert list(found) == rows
    assert list(found) == rows, "they can be read again"
    assert table.equals(to_table(rows, GeneratedQuery))


def test_an_empty_table_keeps_its_columns_and_types() -> None:
    table = to_table([], GeneratedQuery)
    assert table.schema == schema_of(GeneratedQuery)
    assert to_rows(table, GeneratedQuery) == []


def test_only_optional_fields_may_be_null() -> None:
    schema = schema_of(GeneratedQuery)
    assert [field.name for field in schema if field.nullable] == ["negative_query", "round_trip_rank", "judge_score"]
    assert schema.field("query").type == pa.string()


@pytest.mark.parametrize(
    ("title", "section", "expected"),
    [
        ("Camera", "Night mode", "Camera > Night mode\ntext"),
        ("Camera", "", "Camera\ntext"),
        ("", "Night mode", "Night mode\ntext"),
        ("", "", "text"),
    ],
)
def test_the_model_reads_title_and_heading_path_before_the_text(title: str, section: str, expected: str) -> None:
    assert embedded_text(Chunk("c", "d", "s", title, section, "text", 3, 0)) == expected
