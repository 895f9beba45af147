from __future__ import annotations

import pyarrow as pa
import pytest

from steps.rows import Chunk, Triplet, embedded_text
from steps.tables import schema_of, to_rows, to_table

TRIPLETS = [
    Triplet("t1", "c1", "How do I reset it?", None, "how_to", "rules", "rules-1"),
    Triplet("t2", "c2", "reset \U0001f600 \x00", "something else", "keywords", "rules", "rules-1"),
]


def test_rows_come_back_from_a_table_as_they_went_in() -> None:
    assert to_rows(to_table(TRIPLETS, Triplet), Triplet) == TRIPLETS


def test_an_empty_table_keeps_its_columns_and_types() -> None:
    table = to_table([], Triplet)
    assert table.schema == schema_of(Triplet)
    assert to_rows(table, Triplet) == []


def test_only_optional_fields_may_be_null() -> None:
    schema = schema_of(Triplet)
    assert [field.name for field in schema if field.nullable] == ["negative_query", "round_trip_rank"]
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
