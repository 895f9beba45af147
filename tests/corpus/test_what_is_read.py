"""What of a folder is read as documentation: pages however deep, never other people's or a machine's files, and all of it is said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from finetrieve.core.errors import InputError
from finetrieve.corpus.sources.folder import FolderSource
from finetrieve.corpus.sources.registry import check_source, read_source, source_from_path, unread_beside

PAGE = "# Backups\n\nBackups run at night and are kept for a month.\n"
TABLES = {
    "package.json": '{"name": "docs", "scripts": {"build": "x"}, "files": ["a"]}',
    "redirects.csv": "from,to\n/a,/b\n",
    "glossary.csv": "term,definition\nqueue,where jobs wait\n",
    "data/x.parquet": "PAR1",
    "config.json": '[{"text": "a row"}]',
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("depth", [0, 1, 3, 6])
def test_a_page_however_deep_makes_a_folder_documentation_whatever_table_lies_at_its_top(
    tmp_path: Path, table: str, depth: int
) -> None:
    page = "/".join([*(f"level{number}" for number in range(depth)), "page.md"])
    source = source_from_path(write(tmp_path, {"README.md": "# Read me\n\nWords.", table: TABLES[table], page: PAGE}))
    assert source.name == "folder"
    assert page in [document.id for document in read_source(source).documents]
    said = unread_beside(source)
    assert said.startswith("Read of") == (table != "package.json")
    assert (table in said and f"give --docs {tmp_path / table}" in said) == (table != "package.json")


def test_a_manifest_alone_is_no_table_and_tables_with_a_readme_are(tmp_path: Path) -> None:
    write(tmp_path / "app", {"README.md": PAGE, "package.json": TABLES["package.json"]})
    assert source_from_path(tmp_path / "app").name == "folder"
    source = source_from_path(write(tmp_path / "set", {"README.md": PAGE, "rows.jsonl": '{"text": "a"}', "package.json": "{}"}))
    assert source.name == "files"
    assert check_source(source)
    beir = source_from_path(write(tmp_path / "beir", {"corpus.jsonl": '{"_id": "a", "text": "a"}', "guide/a.md": PAGE}))
    assert beir.name == "files"
    assert "Not read: 1 page (guide/a.md)" in unread_beside(beir)


NOT_PAGES = {
    "_build/html/a.html": "a built site",
    "site/objects.inv": "a built site",
    "out/search/search_index.json": "a built site",
    "_templates/layout.html": "page templates",
    "node_modules/x/README.md": "other people's files",
    "vendor/lib/docs/a.md": "other people's files",
    "env/pyvenv.cfg": "other people's files",
    ".github/ISSUE.md": "hidden folder",
    ".notes.md": "hidden file",
    "results/model/.finetrieve": "written by Finetrieve",
    "vectors/finetrieve.json": "written by Finetrieve",
    "results/report.html": "a report of Finetrieve",
    "robots.txt": "for programs",
    "static/crawl.txt": "crawlers",
    "requirements.txt": "packages to install",
    "requirements/docs.txt": "packages to install",
    "base.html": "a template",
    "layouts/single.html": "a template",
    "package-lock.json": "no kind of documentation",
    "poetry.lock": "no kind of documentation",
}
CONTENT = {
    "static/crawl.txt": "User-agent: *\nDisallow: /a\nSitemap: https://x.io/s.xml\n",
    "requirements.txt": "sphinx\nfuro\n-r more.txt\n",
    "requirements/docs.txt": "# pinned\nsphinx==7.1\nfuro>=2024 ; python_version > '3.9'\n",
    "base.html": "<html><body>{% block content %}{% endblock %} words of every page</body></html>",
    "layouts/single.html": '{{ define "main" }}<p>words of every page</p>{{ end }}',
    ".notes.md": PAGE,
    "results/report.html": "<p>words</p><footer>Made by Finetrieve.</footer>",
}


def test_every_file_is_read_or_skipped_with_its_reason(tmp_path: Path) -> None:
    kept = {
        "guide/a.md": PAGE,
        "build/guide.md": PAGE,  # a folder's name alone is no proof
        "vendors.md": PAGE,
        "jinja.html": "<h1>Blocks</h1><p>Write <code>{% block content %}</code> where the page goes.</p>",
        "page.html": "---\nlayout: x\n---\n<h1>Jekyll</h1><p>Words of a page.</p>{% block x %}{% endblock %}",
        "commands.txt": "Install it first.\nThen start it and wait for the lamp.\n",
        "versions.txt": "The release needs sphinx==7.1 to work.\nOlder ones do not.\n",
    }
    write(tmp_path, {**kept, **{name: CONTENT.get(name, "<p>words</p>") for name in NOT_PAGES}})
    read = read_source(FolderSource(path=str(tmp_path), exclude=["vendors.md"]))
    assert [document.id for document in read.documents] == sorted(set(kept) - {"vendors.md"})
    reasons = {item.source: item.reason for item in read.skipped}
    assert reasons.pop("vendors.md") == "left out by include and exclude"
    for name, reason in NOT_PAGES.items():
        said = next(text for source, text in reasons.items() if name == source or name.startswith(f"{source}/"))
        assert reason in said, name
    on_disk = {Path(place, name).relative_to(tmp_path).as_posix() for place, _, names in os.walk(tmp_path) for name in names}
    known = {document.id for document in read.documents} | set(reasons) | {"vendors.md"}
    assert all(any(name == one or name.startswith(f"{one}/") for one in known) for name in on_disk)


def test_a_folder_that_is_left_out_is_read_when_it_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"_build/html/a.html": "<h1>T</h1><p>Words.</p>", "vendor/b.md": PAGE})
    with pytest.raises(InputError, match="'_build': a built site; give that folder itself"):
        check_source(FolderSource(path=str(tmp_path)))
    assert check_source(FolderSource(path=str(tmp_path / "_build"))) == ["html/a.html"]
    assert check_source(FolderSource(path=str(tmp_path), include=["vendor/**"])) == ["vendor/b.md"]


def test_notebooks_lose_nothing_for_what_they_lack(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "raw", "source": "Raw words."},
        {"cell_type": "raw", "metadata": {"raw_mimetype": "text/latex"}, "source": ["\\alpha words"]},
        {"cell_type": "markdown", "source": ["# Set up\n", "\n", "Words of text."]},
        {"cell_type": "code", "source": "show()", "outputs": [{"data": {"text/markdown": ["**Shown** words " + "x " * 400]}}]},
        {"cell_type": "code", "source": "1", "outputs": [{"output_type": "stream", "text": ["short words\n"]}, {"data": None}]},
    ]
    whole = {"cells": cells, "metadata": {"language_info": {"name": "julia"}}, "nbformat": 4, "nbformat_minor": 5}
    files = {"full.ipynb": whole, "bare.ipynb": {"cells": cells}, "old.ipynb": {"worksheets": [{"cells": cells}], "nbformat": 3}}
    write(tmp_path, {name: json.dumps(notebook) for name, notebook in files.items()} | {"no.ipynb": '{"cells": {}}'})
    read = read_source(FolderSource(path=str(tmp_path)))
    assert [document.id for document in read.documents] == ["bare.ipynb", "full.ipynb", "old.ipynb"]
    for document in read.documents:
        assert document.title == "Set up"
        assert all(
            words in document.text for words in ("Raw words", "alpha words", "Words of text", "**Shown** words", "short words")
        )
    assert "```julia" in read.documents[1].text
    assert "no list of 'cells'" in read.skipped[0].reason
