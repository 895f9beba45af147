"""PDF, Word and EPUB files: what they say is kept, what is printed around it is told apart, and a broken one costs itself."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import pytest

from finetrieve.core.errors import InputError
from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.parsing.readers.base import READERS
from finetrieve.corpus.parsing.removal import PAGE_FURNITURE, PAGE_LINKS
from finetrieve.corpus.sources.folder import FolderSource
from finetrieve.corpus.sources.registry import check_source, read_source, sample_texts, source_from_path
from finetrieve.corpus.word_count import UNEXPLAINED, count_page
from tests.corpus.pdf_files import Page, pdf
from tests.installed_package import install_package

SAID = [
    "The gateway keeps each answer for",
    "an hour and then asks again, and the",
    "next request waits for it at most a second.",
]


def read(name: str, data: bytes, folder: Path, format_name: str) -> CleanPage:
    path = folder / name
    path.write_bytes(data)
    page = READERS.get(format_name)().read(path, folder)
    counts = count_page(page)
    assert counts.removed[UNEXPLAINED] == 0
    assert counts.read == counts.kept + counts.removed.total()
    return page


# 1. PDF.


def test_sizes_of_letters_are_headings_and_lines_are_paragraphs_lists_and_code(tmp_path: Path) -> None:
    page = Page().text(72, 700, "Acme Gateway", 24).text(72, 660, "Install", 16).lines(72, 630, *SAID)
    page.lines(72, 580, "Short answers of the configu-", "ration stay in memory.")
    page.text(72, 540, "• first").text(82, 528, "goes on").text(72, 516, "• second").text(90, 504, "• below")
    page.lines(72, 470, "$ acme install", "    --force", font=2)
    found = read("a.pdf", pdf([page]), tmp_path, "pdf")
    assert found.title == "Acme Gateway"
    assert found.text.split("\n\n") == [
        "# Acme Gateway",
        "## Install",
        " ".join(SAID),
        "Short answers of the configuration stay in memory.",
        "- first goes on\n- second\n  - below",
        "```\n$ acme install\n    --force\n```",
    ]


def test_a_hyphen_that_the_file_writes_elsewhere_stays(tmp_path: Path) -> None:
    page = Page().lines(72, 700, "A real-time queue and the real-", "time view of a name with YYMM-", "dd in it.")
    assert (
        read("a.pdf", pdf([page]), tmp_path, "pdf").text
        == "A real-time queue and the real-time view of a name with YYMM-dd in it."
    )


def test_headers_footers_and_page_numbers_go_and_are_counted(tmp_path: Path) -> None:
    pages = [
        Page().text(72, 760, "Acme Manual", 9).text(300, 30, f"Page {number} of 5", 9).text(72, 744, f"Step {4 * number}")
        .lines(72, 700, *SAID).text(72, 600, f"Words of part {number * 7}.")
        for number in range(1, 6)
    ]  # fmt: skip
    found = read("a.pdf", pdf(pages), tmp_path, "pdf")
    assert "Acme Manual" not in found.text
    assert "Page 2" not in found.text
    assert all(f"Step {4 * number}" in found.text and f"part {number * 7}." in found.text for number in range(1, 6))
    assert count_page(found).removed[PAGE_FURNITURE] == 5 * 6


def test_the_header_of_each_chapter_goes_where_the_number_of_the_page_stands_beside_it(tmp_path: Path) -> None:
    pages = [
        Page().text(72, 760, f"{name}   {number + 4}", 9).lines(72, 700, *SAID)
        for number, name in enumerate(["Install", "Use", "Repair", "Sell"])
    ]
    text = read("a.pdf", pdf(pages), tmp_path, "pdf").text
    assert not any(name in text for name in ("Install", "Use", "Repair", "Sell"))


def test_bookmarks_give_the_levels_of_headings(tmp_path: Path) -> None:
    first = Page().text(72, 700, "1 Queues").lines(72, 670, *SAID)
    second = Page().text(72, 700, "2 Topics").lines(72, 670, *SAID)
    text = read("a.pdf", pdf([first, second], bookmarks=[("1 Queues", 1), ("Topics", 2)]), tmp_path, "pdf").text
    assert [line for line in text.split("\n") if line.startswith("#")] == ["# 1 Queues", "# 2 Topics"]


def test_ruled_and_unruled_tables_keep_their_rows_and_one_over_two_pages_is_one(tmp_path: Path) -> None:
    def grid(top: float, rows: list[tuple[str, str]]) -> Page:
        page = Page().grid([72, 200, 420], [top - 20 * at for at in range(len(rows) + 1)])
        for at, (left, right) in enumerate(rows):
            page.text(76, top - 14 - 20 * at, left).text(204, top - 14 - 20 * at, right)
        return page

    pages = [grid(700, [("Plan", "Limit"), ("Free", "60 requests")]), grid(700, [("Plan", "Limit"), ("Team", "a|b")])]
    page = Page()
    for at, (left, right) in enumerate([("Option", "Meaning"), ("--force", "writes over it"), ("--dry", "only says it")]):
        page.text(72, 700 - 14 * at, left).text(220, 700 - 14 * at, right)
    text = read("a.pdf", pdf([*pages, page]), tmp_path, "pdf").text
    assert text == (
        "| Plan | Limit |\n| --- | --- |\n| Free | 60 requests |\n| Team | a\\|b |\n\n"
        "| Option | Meaning |\n| --- | --- |\n| --force | writes over it |\n| --dry | only says it |"
    )


def test_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    page = Page().text(72, 740, "A title that reaches across both of the columns of this page, as titles of papers do")
    for at in range(12):
        page.text(72, 700 - 12 * at, f"left line {at} of the text").text(330, 697 - 12 * at, f"right line {at} of the text")
    text = read("a.pdf", pdf([page]), tmp_path, "pdf").text
    places = [text.index(f"{side} line {at} ") for side in ("left", "right") for at in range(12)]
    assert places == sorted(places)


@pytest.mark.slow
def test_what_stops_a_pdf_from_being_read_is_said(tmp_path: Path) -> None:
    words = Page().lines(72, 700, *SAID)
    bomb = pdf([words])
    grown = b"<< /Length 9 /Filter /FlateDecode >>\nstream\n" + _zeros(300) + b"\nendstream"
    files = {
        "scan.pdf": pdf([Page(picture=True)] * 2),
        "locked.pdf": pdf([words], encrypted=True),
        "cut.pdf": pdf([words])[:700],
        "no.pdf": b"<html>not found</html>",
        "bomb.pdf": bomb + grown,
        "half.pdf": pdf([words, Page(picture=True)]),
        "good.md": b"# Good\n\nWords.",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    result = read_source(FolderSource(path=str(tmp_path)))
    assert [document.id for document in result.documents] == ["good.md", "half.pdf"]
    reasons = {item.source: item.reason for item in result.skipped}
    assert "no text" in reasons["scan.pdf"] and "ocrmypdf" in reasons["scan.pdf"]
    assert "encrypted" in reasons["locked.pdf"]
    assert "broken or cut off" in reasons["cut.pdf"]
    assert "does not begin as a PDF does" in reasons["no.pdf"]
    assert "256 MB" in reasons["bomb.pdf"]
    assert reasons["half.pdf"].startswith("page 2 of 2 holds a picture and no text")


def _zeros(megabytes: int) -> bytes:
    import zlib

    packer = zlib.compressobj(9)
    block = bytes(1_000_000)
    return b"".join([*(packer.compress(block) for _ in range(megabytes)), packer.flush()])


# 2. Word.


def word_file(folder: Path) -> bytes:
    import docx

    document = docx.Document()
    document.add_heading("Gateway manual", 0)
    document.add_heading("Install", 1)
    paragraph = document.add_paragraph("The gateway ")
    paragraph.add_run("keeps").bold = True
    paragraph.add_run(" answers.")
    document.add_paragraph("first step", "List Bullet")
    document.add_paragraph("second step", "List Bullet")
    table = document.add_table(2, 2)
    for row, texts in zip(table.rows, [("Plan", "Limit"), ("Free", "60")], strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    document.styles.add_style("Source Code", 1)
    document.add_paragraph("acme install", "Source Code")
    document.add_paragraph("acme start", "Source Code")
    document.add_paragraph("Figure 1: The path of a request", "Caption")
    contents = document.styles.add_style("toc 1", 1)
    document.add_paragraph("Install\t1", contents)
    document.sections[0].header.paragraphs[0].text = "Confidential draft"
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def test_styles_of_a_word_file_are_headings_lists_tables_and_code(tmp_path: Path) -> None:
    page = read("a.docx", word_file(tmp_path), tmp_path, "docx")
    assert page.title == "Gateway manual"
    assert page.text.split("\n\n") == [
        "# Gateway manual",
        "# Install",
        "The gateway **keeps** answers.",
        "- first step\n- second step",
        "| Plan | Limit |\n| --- | --- |\n| Free | 60 |",
        "```\nacme install\nacme start\n```",
        "Figure 1: The path of a request",
    ]
    assert dict(count_page(page).removed) == {PAGE_FURNITURE: 2, PAGE_LINKS: 2}


def test_notes_equations_and_alternative_texts_of_a_word_file_stay(tmp_path: Path) -> None:
    source = zipfile.ZipFile(io.BytesIO(word_file(tmp_path)))
    changed = io.BytesIO()
    math = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    added = (
        f"<w:p><m:oMathPara {math}><m:oMath><m:r><m:t>rate</m:t></m:r><m:r><m:t>limit</m:t></m:r></m:oMath></m:oMathPara></w:p>"
        "<w:p><w:del><w:r><w:delText>taken back</w:delText></w:r></w:del><w:ins><w:r><w:t>put in</w:t></w:r></w:ins></w:p>"
    )
    with zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "word/document.xml":
                data = data.replace(b"<w:sectPr", added.encode() + b"<w:sectPr", 1)
            target.writestr(name, data)
    text = read("b.docx", changed.getvalue(), tmp_path, "docx").text
    assert "rate limit" in text
    assert "put in" in text
    assert "taken back" not in text


@pytest.mark.parametrize("name", ["a.docx", "a.epub"])
@pytest.mark.parametrize("data", [b"PK\x03\x04 cut off", b"", b"<html>"])
def test_a_broken_archive_is_one_skipped_file(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    (tmp_path / "good.md").write_text("# Good\n\nWords.")
    result = read_source(FolderSource(path=str(tmp_path)))
    assert [document.id for document in result.documents] == ["good.md"]
    assert result.skipped[0].source == name
    assert "broken" in result.skipped[0].reason or "0 bytes" in result.skipped[0].reason


# 3. EPUB.

PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title>Gateway book</dc:title></metadata><manifest>
<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="b" href="text/b%20two.xhtml" media-type="application/xhtml+xml"/><item id="a" href="text/a.xhtml" media-type="application/xhtml+xml"/>
</manifest><spine><itemref idref="n"/><itemref idref="a"/><itemref idref="b"/></spine></package>"""
NAVIGATION = """<html xmlns="http://www.w3.org/1999/xhtml"><body><nav><ol><li><a href="text/a.xhtml">Queues</a></li>
<li><a href="text/b%20two.xhtml#x">Topics</a></li></ol></nav></body></html>"""


def book(pages: dict[str, str], **more: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="o/p.opf"/></rootfiles></container>',
        )
        archive.writestr("o/p.opf", PACKAGE)
        archive.writestr("o/nav.xhtml", NAVIGATION)
        for name, content in {**pages, **more}.items():
            archive.writestr(name, content)
    return buffer.getvalue()


CHAPTERS = {
    "o/text/a.xhtml": '<?xml version="1.0"?><!DOCTYPE html [<!ENTITY x "y">]><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head>'
    '<body><a id="top"/><p>Queues&nbsp;hold caf&eacute; jobs.</p><table><tr><th>Plan</th></tr><tr><td>Free</td></tr></table></body></html>',
    "o/text/b two.xhtml": "<html><body><h1>On topics</h1><aside epub:type='footnote'><p>A note.</p></aside></body></html>",
}


def test_a_book_is_read_along_its_spine_under_the_titles_of_its_contents(tmp_path: Path) -> None:
    page = read("a.epub", book(CHAPTERS), tmp_path, "epub")
    assert page.title == "Gateway book"
    assert page.text == ("# Queues\n\nQueues hold café jobs.\n\n| Plan |\n| --- |\n| Free |\n\n# On topics\n\nA note.")
    assert count_page(page).removed[PAGE_LINKS] == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            book(
                CHAPTERS,
                **{
                    "META-INF/encryption.xml": '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData><CipherData>'
                    '<CipherReference URI="o/text/a.xhtml"/></CipherData></EncryptedData></encryption>'
                },
            ),
            "encrypted",
        ),
        (book({"o/text/a.xhtml": "<html><body><p>" + " " * 60_000_000 + "</p></body></html>"}), "unpacks to more than 48 MB"),
        (book({}), "no text"),
    ],
    ids=["locked", "bomb", "empty"],
)
def test_what_stops_a_book_from_being_read_is_said(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read("a.epub", data, tmp_path, "epub")


def test_entities_of_a_package_are_not_expanded(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE p [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><package/>'
    with pytest.raises(ValueError, match="declares entities"):
        read("a.epub", book({"o/p.opf": bomb}), tmp_path, "epub")


# 4. In a folder.


def test_a_folder_of_such_files_alone_is_documentation(tmp_path: Path) -> None:
    (tmp_path / "manual.pdf").write_bytes(pdf([Page().lines(72, 700, *SAID)]))
    (tmp_path / "guide.docx").write_bytes(word_file(tmp_path))
    source = source_from_path(tmp_path)
    assert check_source(source) == ["guide.docx", "manual.pdf"]
    assert [document.title for document in read_source(source).documents] == ["Gateway manual", "Manual"]
    assert any("gateway keeps" in text for text in sample_texts(source, 5))
    assert source_from_path(tmp_path / "manual.pdf").name == "folder"


def test_without_the_extra_such_files_are_skipped_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "manual.pdf").write_bytes(pdf([Page().lines(72, 700, *SAID)]))
    monkeypatch.setitem(sys.modules, "pdfplumber", None)
    with pytest.raises(InputError, match=r"manual.pdf: .*extra 'documents'.*pip install -e '\.\[documents\]'"):
        check_source(FolderSource(path=str(tmp_path)))
    (tmp_path / "good.md").write_text("# Good\n\nWords.")
    result = read_source(FolderSource(path=str(tmp_path)))
    assert [document.id for document in result.documents] == ["good.md"]
    assert [(item.source, "[documents]" in item.reason) for item in result.skipped] == [("manual.pdf", True)]


def test_a_reader_of_another_package_is_found_by_the_ending_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "from finetrieve.corpus.parsing.cleaning import clean_plain\nfrom finetrieve.corpus.parsing.readers.base import FileReader\n\n"
        "class TexReader(FileReader):\n    name, description, suffixes = 'tex', 'TeX', ('.tex',)\n\n"
        "    def read(self, path, root):\n        return clean_plain(path.read_text().replace('\\\\section', ''))\n"
    )
    entry_points = "[finetrieve.readers]\ntex = their_reader:TexReader\n"
    install_package(tmp_path / "installed", monkeypatch, entry_points, their_reader=code)
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.tex").write_text("\\section Words of TeX.")
    assert [document.text.strip() for document in read_source(FolderSource(path=str(docs))).documents] == ["Words of TeX."]
    assert "a.tex" in check_source(FolderSource(path=str(docs)))
