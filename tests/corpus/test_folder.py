"""The folder source: what is read, what is skipped and why, and what is answered to a mistake."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from finetrieve.core.errors import InputError
from finetrieve.corpus.sources.folder import FolderSource
from finetrieve.corpus.sources.registry import check_source, fingerprint, read_source, source_from_path

NOTEBOOK = (
    '{"cells": [{"cell_type": "markdown", "metadata": {}, "source": "# N"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}'
)
PAGE = "# A page\n\nWith some words."


def write(folder: Path, files: dict[str, str | bytes]) -> FolderSource:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return FolderSource(path=str(folder))


def test_every_kind_of_page_is_read_in_order_and_the_rest_is_reported(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        {
            "b.md": PAGE,
            "a/x.mdx": PAGE,
            "a/y.RST": "Title\n=====\n\nWords.",
            "c.html": "<h1>T</h1><p>Words.</p>",
            "d.txt": "Words.",
            "e.ipynb": NOTEBOOK,
            "broken.ipynb": "{",
            "empty.md": "",
            "blank.md": "---\n---\n\n\n",
            "pic.png": b"\x89PNG",
            "binary.md": b"PK\x03\x04\x00\x00",
            "zeros.txt": b"abc\x00\x01\x02" * 20,
            ".hidden/z.md": PAGE,
            "node_modules/z.md": PAGE,
        },
    )
    read = read_source(source)
    assert [document.id for document in read.documents] == ["a/x.mdx", "a/y.RST", "b.md", "c.html", "d.txt", "e.ipynb"]
    reasons = {item.source: item.reason for item in read.skipped}
    assert set(reasons) == {
        *("broken.ipynb", "empty.md", "blank.md", "pic.png", "binary.md", "zeros.txt", ".hidden", "node_modules"),
    }
    assert "0 bytes" in reasons["empty.md"]
    assert "ZIP" in reasons["binary.md"]
    assert set(check_source(source)) >= {document.id for document in read.documents}


def test_include_and_exclude_work_as_in_gitignore(tmp_path: Path) -> None:
    write(tmp_path, {"guide/a.md": PAGE, "guide/old/b.md": PAGE, "c.md": PAGE})
    source = FolderSource(path=str(tmp_path), include=["guide/**"], exclude=["old/"])
    assert check_source(source) == ["guide/a.md"]


def test_links_are_followed_inside_only_and_loops_end(tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_text(PAGE)
    docs = tmp_path / "docs"
    source = write(docs, {"a.md": PAGE, "sub/b.md": PAGE, ".data/c.md": PAGE})
    (docs / "loop").symlink_to(docs)
    (docs / "self").symlink_to(docs / "self")
    (docs / "gone.md").symlink_to(docs / "nowhere.md")
    (docs / "out.md").symlink_to(outside)
    (docs / "again.md").symlink_to(docs / "a.md")
    (docs / "c.md").symlink_to(docs / ".data" / "c.md")
    read = read_source(source)
    assert [document.id for document in read.documents] == ["a.md", "c.md", "sub/b.md"]
    assert {"loop", "self", "gone.md", "out.md", "again.md"} <= {item.source for item in read.skipped}
    assert "out.md" in check_source(FolderSource(path=str(docs), follow_links=True))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("Grüße aus Köln — schön".encode(), "Grüße aus Köln — schön"),
        ("\ufeffGrüße aus Köln".encode(), "Grüße aus Köln"),
        ("Grüße aus Köln".encode("utf-16"), "Grüße aus Köln"),
        ("Greetings from a file without a mark".encode("utf-16-le"), "Greetings from a file without a mark"),
        (
            "Das Gerät läßt sich über die Einstellungen zurücksetzen.".encode("latin-1"),
            "Das Gerät läßt sich über die Einstellungen zurücksetzen.",
        ),
        (b"one\r\ntwo\rthree", "one two three"),
        (
            "Настройка устройства выполняется в меню параметров.".encode("cp1251"),
            "Настройка устройства выполняется в меню параметров.",
        ),
    ],
)
def test_any_encoding_is_read(tmp_path: Path, data: bytes, expected: str) -> None:
    read = read_source(write(tmp_path, {"a.md": data}))
    assert read.documents[0].text == expected


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    source = write(tmp_path, {"a.md": PAGE})
    with (tmp_path / "huge.txt").open("wb") as file:
        file.truncate(200_000_000)
    read = read_source(source)
    assert [item.reason for item in read.skipped] == ["200 MB is over the limit of 20 MB (max_file_mb)"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "No files in the folder"),
        ({"a.png": b"\x89PNG", "b.png": b"\x89PNG", "c.jpg": b"\xff\xd8\xff"}, "found 2 .png, 1 .jpg"),
        ({"a.md": ""}, "a.md: the file is empty (0 bytes)"),
        ({"a.md": b"\x00\x01" * 50}, "No documentation in the folder"),
    ],
)
def test_a_folder_without_documentation_says_what_it_has(tmp_path: Path, files: dict[str, str | bytes], message: str) -> None:
    source = write(tmp_path, files)
    with pytest.raises(InputError) as error:
        check_source(source)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_folder_and_a_lone_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such folder"):
        check_source(FolderSource(path=str(tmp_path / "nowhere")))
    write(tmp_path, {"a.md": PAGE, "b.md": PAGE, "empty.md": ""})
    assert check_source(FolderSource(path=str(tmp_path / "a.md"))) == ["a.md"]
    with pytest.raises(InputError, match="0 bytes"):
        check_source(FolderSource(path=str(tmp_path / "empty.md")))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_skipped(tmp_path: Path) -> None:
    source = write(tmp_path, {"a.md": PAGE, "b.md": PAGE})
    (tmp_path / "b.md").chmod(0)
    assert [item.source for item in read_source(source).skipped] == ["b.md"]


def test_fingerprint_follows_content_and_names_only(tmp_path: Path) -> None:
    source = write(tmp_path, {"a.md": PAGE, "b.md": PAGE})
    before = fingerprint(source)
    os.utime(tmp_path / "a.md", (1, 1))
    assert fingerprint(source) == before
    (tmp_path / "a.md").write_text("# Other")
    changed = fingerprint(source)
    assert changed != before
    (tmp_path / "a.md").write_text(PAGE)
    assert fingerprint(source) == before
    (tmp_path / "b.md").rename(tmp_path / "c.md")
    assert fingerprint(source) != before


@pytest.mark.parametrize(
    ("files", "given", "name"),
    [
        ({"a.md": PAGE}, "", "folder"),
        ({"corpus.jsonl": "{}", "a.md": PAGE}, "", "files"),
        ({"rows.csv": "text\nx", "README.md": PAGE}, "", "files"),
        ({"data/train-00000-of-00001.parquet": b"PAR1", "README.md": PAGE}, "", "hub"),
        ({"a.jsonl": "{}"}, "a.jsonl", "files"),
        ({"a.html": "<p>x"}, "a.html", "folder"),
        ({}, "", "folder"),
    ],
)
def test_docs_path_picks_the_source(tmp_path: Path, files: dict[str, str | bytes], given: str, name: str) -> None:
    write(tmp_path, files)
    assert source_from_path(tmp_path / given).name == name


@pytest.mark.parametrize(
    ("name", "message"), [("nowhere", "No such file or folder"), ("big.log", "no source reads '.log' files")]
)
def test_docs_path_that_no_source_reads(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "big.log").write_text("x")
    with pytest.raises(InputError, match=message):
        source_from_path(tmp_path / name)
