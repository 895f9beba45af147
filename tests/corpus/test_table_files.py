"""The files source: tables of every kind, their columns, and one line for each mistake in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finetrieve.core.errors import InputError
from finetrieve.corpus.sources.registry import check_source, fingerprint, read_source
from finetrieve.corpus.sources.table_files import FilesSource

ROWS = [{"_id": "a", "title": "Alpha", "text": "Words of alpha."}, {"_id": "b", "title": "Beta", "text": "Words of beta."}]


def written(path: Path, content: str | bytes) -> FilesSource:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return FilesSource(path=str(path))


def as_jsonl(rows: Sequence[Mapping[str, object]]) -> str:
    return "\n".join(json.dumps(row) for row in rows)


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "tsv", "parquet", "beir"])
def test_every_kind_of_table_gives_the_same_documents(tmp_path: Path, kind: str) -> None:
    if kind == "beir":
        written(tmp_path / "corpus.jsonl", as_jsonl(ROWS))
        source = FilesSource(path=str(tmp_path))
    elif kind == "jsonl":
        source = written(tmp_path / "x.jsonl", as_jsonl(ROWS) + "\n\n")
    elif kind == "json":
        source = written(tmp_path / "x.json", json.dumps(ROWS))
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "x.parquet")
        source = FilesSource(path=str(tmp_path / "x.parquet"))
    else:
        comma = "," if kind == "csv" else "\t"
        lines = [comma.join(row.values()) for row in [{key: key for key in ROWS[0]}, *ROWS]]
        source = written(tmp_path / f"x.{kind}", "\ufeff" + "\r\n".join(lines))
    read = read_source(source)
    assert [(d.id, d.title, d.text) for d in read.documents] == [
        ("a", "Alpha", "Words of alpha."),
        ("b", "Beta", "Words of beta."),
    ]
    assert check_source(source) == ["a", "b"]


def test_columns_of_published_datasets_are_found(tmp_path: Path) -> None:
    row = {"page_content": "Words.", "parent_section": "guide", "filename": "https://x.io/how-to/set-up", "token_count": 2}
    (document,) = read_source(written(tmp_path / "x.jsonl", json.dumps(row))).documents
    assert (document.text, document.source, document.title) == ("Words.", "https://x.io/how-to/set-up", "guide")
    assert document.id.startswith("row-")


def test_a_url_as_title_becomes_readable(tmp_path: Path) -> None:
    row = {"_id": "1", "title": "https://x.io/how-to/aws-service-connector", "text": "Words."}
    (document,) = read_source(written(tmp_path / "x.jsonl", json.dumps(row))).documents
    assert (document.title, document.source) == ("Aws service connector", "https://x.io/how-to/aws-service-connector")


def test_several_text_columns_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("q,a\nHow?,So.")
    (document,) = read_source(FilesSource(path=str(path), text_column=["q", "a"])).documents
    assert document.text == "How?\n\nSo."


def test_a_title_that_every_text_repeats_is_dropped_from_the_text(tmp_path: Path) -> None:
    rows = [
        {"_id": "1", "title": "Lift to wake", "text": "Lift to wake Turn on the screen by lifting."},
        {"_id": "2", "title": "Camera", "text": "Camera shortcuts let you start it."},
        {"_id": "3", "title": "Status bar", "text": "Status bar\nIt shows icons."},
    ]
    texts = [document.text for document in read_source(written(tmp_path / "x.jsonl", as_jsonl(rows))).documents]
    assert texts == ["Turn on the screen by lifting.", "Camera shortcuts let you start it.", "It shows icons."]


def test_rows_without_text_or_said_before_are_skipped(tmp_path: Path) -> None:
    read = read_source(written(tmp_path / "x.jsonl", '{"text": "Words."}\n{"text": "  "}\n{"text": "Words."}'))
    assert len(read.documents) == 1
    assert [(item.source, item.reason) for item in read.skipped] == [
        ("x.jsonl, line 2", "the row has no text"),
        ("x.jsonl, line 3", "the row says the same as an earlier one"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("x.jsonl", '{"text": "a"}\n{"text": \n', ["x.jsonl, line 2", "invalid JSON"]),
        ("x.jsonl", '{"text": "a"}\n[1]\n', ["x.jsonl, line 2", "expected a JSON object"]),
        ("x.jsonl", "2024-01-01 INFO started\n" * 10, ["line 1", "invalid JSON"]),
        ("x.jsonl", "", ["0 bytes"]),
        ("x.jsonl", '{"_id": "a", "text": "x"}\n\n{"_id": "a", "text": "y"}', ["Duplicate id 'a'", "line 1", "line 3"]),
        ("x.jsonl", '{"_id": "", "text": "x"}', ["line 1", "id column '_id' is empty"]),
        ("x.jsonl", '{"_id": "a", "text": " "}', ["No rows with text"]),
        ("x.jsonl", b"\x00\x01\x02" * 99, ["binary data"]),
        ("x.jsonl", "[" * 100_000, ["line 1", "invalid JSON"]),
        ("x.json", '{"a": 1}', ["expected a list"]),
        ("x.json", '[{"text": "a"}, 3]', ["item 2"]),
        ("x.csv", "id,txet\n1,x", ["No column with text", "nearest is 'txet'", "id, txet"]),
        ("x.csv", 'id,text\n1,"x\n', ["invalid CSV"]),
        ("x.csv", "id,text\n1,x,y,z\n", ["line 2", "more fields"]),
        ("x.csv", "id,text\n", ["No rows with text"]),
        ("x.parquet", b"PAR1 and nothing else", ["no valid Parquet file"]),
        ("x.log", "words", ["expected a file that ends in"]),
    ],
)
def test_a_mistake_is_answered_in_one_line_that_names_the_place(
    tmp_path: Path, name: str, content: str | bytes, parts: list[str]
) -> None:
    source = written(tmp_path / name, content)
    with pytest.raises(InputError) as error:
        check_source(source)
    assert "\n" not in str(error.value)
    for part in parts:
        assert part in str(error.value)


def test_a_missing_column_names_the_nearest(tmp_path: Path) -> None:
    written(tmp_path / "x.csv", "id,content\n1,x")
    with pytest.raises(InputError, match=r"No column 'contnet' \(text_column\).*Did you mean 'content'\?"):
        check_source(FilesSource(path=str(tmp_path / "x.csv"), text_column="contnet"))


@pytest.mark.parametrize("name", ["nowhere.jsonl", "nowhere"])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="No such file or folder"):
        check_source(FilesSource(path=str(tmp_path / name)))


def test_a_folder_without_tables(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No tables in the folder"):
        check_source(FilesSource(path=str(tmp_path)))


def test_fingerprint_follows_content(tmp_path: Path) -> None:
    source = written(tmp_path / "x.jsonl", as_jsonl(ROWS))
    before = fingerprint(source)
    assert fingerprint(source) == before
    written(tmp_path / "x.jsonl", as_jsonl(ROWS[:1]))
    assert fingerprint(source) != before
