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


def test_an_empty_cell_of_a_table_is_no_word_in_any_column(tmp_path: Path) -> None:
    lines = [
        '{"_id": "1", "title": NaN, "text": "Backups run at night.", "url": NaN}',
        '{"_id": "2", "title": "Queue", "text": NaN}',
        '{"_id": NaN, "title": "T", "text": "words with no id"}',
        '{"_id": "4", "title": "NaN", "text": "A number that is none."}',
    ]
    read = read_source(written(tmp_path / "x.jsonl", "\n".join(lines)))
    assert [(d.id, d.source) for d in read.documents] == [("1", "x.jsonl, line 1"), ("4", "x.jsonl, line 4")]
    assert "nan" not in [d.title.lower() for d in read.documents[:1]]
    assert {item.source for item in read.skipped} == {"x.jsonl, line 2", "x.jsonl, line 3"}
    cells = "id,text\n" + "".join(f"{number},{cell}\n" for number, cell in enumerate(["", "NULL", "NaN", "None", "real words"]))
    assert [d.text for d in read_source(written(tmp_path / "x.csv", cells)).documents] == ["real words"]


def test_what_is_nested_is_found_by_its_usual_names_and_can_be_named(tmp_path: Path) -> None:
    rows = [
        {"page_content": f"Words {n}.", "metadata": {"source": f"guide/{n}.md", "title": f"Page {n}", "doc_id": "d"}}
        for n in range(3)
    ]
    source = written(tmp_path / "x.jsonl", as_jsonl(rows))
    documents = read_source(source).documents
    assert [(d.title, d.source) for d in documents] == [(f"Page {n}", f"guide/{n}.md") for n in range(3)]
    named = source.model_copy(update={"id_column": "metadata.source", "text_column": "metadata.title"})
    assert [(d.id, d.text) for d in read_source(named).documents] == [(f"guide/{n}.md", f"Page {n}") for n in range(3)]
    faq = read_source(written(tmp_path / "faq.csv", "question,answer\nHow do I reset it?,Open Settings.\n")).documents
    assert [(d.title, d.text) for d in faq] == [("How do I reset it?", "Open Settings.")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_csv_is_read_with_any_delimiter_and_rows_are_named_by_their_first_line(
    tmp_path: Path, delimiter: str, newline: str
) -> None:
    header = delimiter.join(['"a, b; c| d, e; f| g, h; i"', '"text"'])
    rows = [f'"1"{delimiter}"Line one{newline}line two, of ""three"""', f"2{delimiter}", "", f"3{delimiter}Last words"]
    read = read_source(written(tmp_path / "x.csv", newline.join([header, *rows])))
    assert [d.source for d in read.documents] == ["x.csv, line 2", "x.csv, line 6"]
    assert read.documents[0].text.split() == ["Line", "one", "line", "two,", "of", '"three"']
    assert [(item.source, item.reason) for item in read.skipped] == [("x.csv, line 4", "the row has no text")]


BROKEN = {
    "jsonl": ['{"_id": "9", "text": "cut o', "[1]", "2024 INFO", '{"_id": "9", "note": "no text"}'],
    "csv": ["9,words,more,fields", '9,"never closed', '"'],
}


@pytest.mark.parametrize(("kind", "line"), [(kind, line) for kind, lines in BROKEN.items() for line in lines])
@pytest.mark.parametrize("place", [0, 7, 19])
def test_one_bad_line_costs_itself_alone_and_is_reported(tmp_path: Path, kind: str, line: str, place: int) -> None:
    good = [json.dumps({"_id": str(n), "text": f"Words {n}."}) if kind == "jsonl" else f"{n},Words {n}." for n in range(100, 119)]
    lines = [*good[:place], line, *good[place:]]
    read = read_source(written(tmp_path / f"x.{kind}", "\n".join((["id,text"] if kind == "csv" else []) + lines)))
    assert [d.id for d in read.documents] == [str(n) for n in range(100, 119)]
    assert [item.source for item in read.skipped] == [f"x.{kind}, line {place + 1 + (kind == 'csv')}"]


def test_too_many_bad_lines_are_a_mistake_and_the_share_can_be_set(tmp_path: Path) -> None:
    good = [json.dumps({"_id": str(n), "text": f"Words {n}."}) for n in range(60)]
    source = written(tmp_path / "x.jsonl", "\n".join([*good, *["{"] * 20]))
    with pytest.raises(InputError, match=r"x.jsonl, line 61: invalid JSON.* 20 of 80 rows .* cannot be read"):
        read_source(source)
    assert len(read_source(source.model_copy(update={"max_unreadable_share": 0.3})).skipped) == 20
    assert len(read_source(written(tmp_path / "y.jsonl", "\n".join([*good[:2], "{"]))).documents) == 2
