"""AsciiDoc: each construct of documentation keeps its words, and what is included or left out is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.parsing.readers.asciidoc import AsciiDocReader
from finetrieve.corpus.parsing.removal import CONDITIONS
from finetrieve.corpus.sources.folder import FolderSource
from finetrieve.corpus.sources.registry import read_source
from finetrieve.corpus.word_count import UNEXPLAINED, count_page
from finetrieve.corpus.word_count import words as words_in


def read(text: str, folder: Path, **files: str) -> CleanPage:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_adoc", ".adoc").replace("_rb", ".rb")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    page = folder / "page.adoc"
    page.write_text(text)
    found = AsciiDocReader().read(page, folder)
    left = words_in(found.source) - words_in(f"{found.title}\n{found.text}")
    left -= words_in("\n".join(removal.text for removal in found.removals))
    assert not left, f"{sorted(left)} of:\n{text}\nread as:\n{found.text}"
    assert count_page(found).removed[UNEXPLAINED] == 0
    return found


FORMS = {
    "headings": ("= Title\nJane Doe <jane@acme.io>\nv1.2, 2024-01-02\n:toc:\n\nLead.\n\n== Part [[x]]\n\nText.\n\n=== Deeper\n\nMore.",
        "# Title\n\nLead.\n\n## Part\n\nText.\n\n### Deeper\n\nMore."),
    "underlined": ("Title\n=====\n\nPart one\n--------\n\nText.", "# Title\n\n## Part one\n\nText."),
    "marks": ("A *bold* and _soft_ word with `code_name` and **un**bound, `+{raw}+` E=mc^2^ [.red]#note#.",
        "A **bold** and *soft* word with `code_name` and **un**bound, `{raw}` E=mc^2 note."),
    "attributes": (":product: Gateway\n:version: 2.1\n\n{product} {version} keeps {unknown}.", "Gateway 2.1 keeps {unknown}."),
    "lists": ("* one\n** below one\ngoes on\n* two\n\n//\n. first\n.. inner\n. second\n\n//\n- [x] done\n- [ ] open",
        "- one\n  - below one goes on\n- two\n\n1. first\n   1. inner\n2. second\n\n- [x] done\n- [ ] open"),
    "attached": ("* Run it:\n+\n[source,sh]\n----\nacme start\n----\n+\nand wait.\n* next",
        "- Run it:\n\n  ```sh\n  acme start\n  ```\n\n  and wait.\n\n- next"),
    "terms": ("CPU:: The part that computes.\nRAM::\n  The part that remembers.\n\nSSD::\n\nThe part that keeps.",
        "**CPU**: The part that computes.\n\n**RAM**: The part that remembers.\n\n**SSD**: The part that keeps."),
    "code": (".Start it\n[source,ruby,linenums]\n----\nputs '<a>' # <1>\n# no heading\n== none\n----\n<1> It prints.\n\n....\nplain *text*\n....\n\n```js\nx()\n```",
        "**Start it**\n\n```ruby\nputs '<a>' # <1>\n# no heading\n== none\n```\n\n1. It prints.\n\n```\nplain *text*\n```\n\n```js\nx()\n```"),
    "admonitions": ("WARNING: Do not touch.\n\n[NOTE]\n====\nTwo\n\nparagraphs.\n====\n\n[TIP]\nShort.",
        "**WARNING:** Do not touch.\n\n**NOTE:**\n\nTwo\n\nparagraphs.\n\n**TIP:** Short."),
    "table": ("[%header,cols=\"1,2a\"]\n|===\n|Plan |Limit\n\n|Free\n|60 `requests`\n\n|Team |600 a\\|b\n|===",
        "| Plan | Limit |\n| --- | --- |\n| Free | 60 `requests` |\n| Team | 600 a\\|b |"),
    "table by its first line": ("|===\n|Name |Type |Default\n\n|port |int |80\n|host |str\n|local\n|===",
        "| Name | Type | Default |\n| --- | --- | --- |\n| port | int | 80 |\n| host | str | local |"),
    "spans": ("|===\n|A |B\n\n2+|over both\n.2+|down |x\n|y\n|===", "| A | B |\n| --- | --- |\n| over both |  |\n| down | x |\n| down | y |"),
    "csv": (",===\nname,\"a, b\"\nx,y\n,===", "| name | a, b |\n| --- | --- |\n| x | y |"),
    "links": ("See link:guide.html[the guide^], https://acme.io/x[our site], <<limits>>, <<sec-a,part A>> and xref:other.adoc#p[Other].\n\n[#limits]\n== Rate limits\n\nText.",
        "See the guide, our site, Rate limits, part A and Other.\n\n## Rate limits\n\nText."),
    "pictures": ("image::flow.png[Path of a request,600]\n\nClick image:ok.png[the green button] and kbd:[Ctrl+C] in menu:File[Save > All].",
        "Path of a request\n\nClick the green button and Ctrl+C in File > Save > All."),
    "notes": ("Limits apply.footnote:[At most 30 a minute.]", "Limits apply. [1]\n\n[1] At most 30 a minute."),
    "quotes": ("[quote, Ada Lovelace, Notes]\n____\nIt weaves.\n____", "> It weaves.\n>\n> — Ada Lovelace, Notes"),
    "blocks": ("****\nBeside.\n****\n\n.Example\n====\nInside.\n====\n\n--\nOpen.\n--\n\n++++\n<p>Raw <b>html</b>.</p>\n++++\n\n// a comment\n////\nmore\n////\n'''\nEnd +\nof it.",
        "Beside.\n\n**Example**\n\nInside.\n\nOpen.\n\nRaw **html**.\n\nEnd\nof it."),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_construct_keeps_its_words(form: str, tmp_path: Path) -> None:
    text, expected = FORMS[form]
    assert read(text, tmp_path).text == expected


def test_conditions_let_through_what_holds_and_the_rest_is_counted(tmp_path: Path) -> None:
    text = ':cloud:\n\nifdef::cloud[]\nIn the cloud.\nendif::[]\nifndef::cloud[]\nAt home.\nendif::[]\nifdef::gone[Never this.]\nifeval::["{backend}" == "pdf"]\nPrinted.\nendif::[]\nLast.'
    page = read(text, tmp_path)
    assert page.text == "In the cloud. Last."
    assert count_page(page).removed[CONDITIONS] >= 5


def test_files_of_the_folder_are_included_and_others_are_not(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (tmp_path / "secret.adoc").write_text("A secret.")
    page = read(
        "= Page\n:parts: parts\n\ninclude::{parts}/one.adoc[leveloffset=+1]\n\n[source,ruby]\n----\ninclude::code.rb[tag=run]\n----\n\n"
        "include::../secret.adoc[]\ninclude::https://x.y/z.adoc[]\ninclude::page.adoc[]\n",
        docs, parts__one_adoc="= One\n\nWords of one.", code_rb="x\n# tag::run[]\nrun 1\n# end::run[]\ny",
    )  # fmt: skip
    assert "## One\n\nWords of one.\n\n```ruby\nrun 1\n```" in page.text
    assert "secret" not in page.text
    assert sum("lies outside of the folder" in note for note in page.unread) >= 2
    assert any("16 files deep" in note for note in page.unread)


def test_asciidoc_in_a_folder_needs_no_extra_and_says_what_it_could_not_include(tmp_path: Path) -> None:
    (tmp_path / "a.adoc").write_text("= Queues\n\nJobs wait.\n\ninclude::gone.adoc[]\n")
    result = read_source(FolderSource(path=str(tmp_path)))
    assert [(document.title, document.text) for document in result.documents] == [("Queues", "# Queues\n\nJobs wait.")]
    assert result.skipped[0].reason == "includes 'gone.adoc', which is not there"


@pytest.mark.parametrize(
    "text",
    [
        "|===\n" + "|a " * 4_000,
        "[" * 50_000,
        "`" * 20_001,
        "* " * 20_000,
        "====\n" * 2_001,
        "_a" * 30_000,
        "{a}" * 20_000,
        "a::" * 20_000,
    ],
)
def test_strange_pages_end_in_bounded_time(text: str, tmp_path: Path) -> None:
    (tmp_path / "page.adoc").write_text(text)
    AsciiDocReader().read(tmp_path / "page.adoc", tmp_path)
