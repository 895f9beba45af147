"""A source of somebody else's: one file, found by an entry point or by its dotted name in the YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetrieve.annotation.settings import AnnotationSettings, dataset_name
from finetrieve.app.config import load_config
from finetrieve.corpus.sources.registry import SOURCES, check_source, fingerprint, read_source
from tests.installed_package import install_package

WIKI = """
from typing import ClassVar
from finetrieve.core.paths import ConfigPath
from finetrieve.core.rows import Document
from finetrieve.corpus.sources.base import Source, SourceRead

class WikiSource(Source):
    description: ClassVar[str] = "the pages of a wiki"
    identity_keys: ClassVar[tuple[str, ...]] = ("space",)
    name: str = "wiki"
    space: str
    dump: ConfigPath = "pages.txt"

    def reader(self):
        return WikiReader(self)

class WikiReader:
    def __init__(self, settings):
        self.lines = open(settings.dump).read().split("\\n")
    def read(self):
        return SourceRead([Document(line.split()[0], line, line, line) for line in self.lines])
    def check(self):
        return [line.split()[0] for line in self.lines]
    def fingerprint(self):
        return "-".join(self.lines)
"""


@pytest.fixture
def wiki(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    install_package(tmp_path, monkeypatch, "[finetrieve.sources]\nwiki = their_wiki:WikiSource\n", their_wiki=WIKI)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "pages.txt").write_text("one first page\ntwo second page")
    return tmp_path


@pytest.mark.parametrize("name", ["wiki", "their_wiki:WikiSource"])
def test_a_source_is_one_file_that_an_entry_point_or_a_dotted_name_finds(wiki: Path, name: str) -> None:
    path = wiki / "configs" / "wiki.yaml"
    path.write_text(f"source: {{name: '{name}', space: Team, dump: pages.txt}}\n")
    config = load_config(path)
    assert [document.title for document in read_source(config.source).documents] == ["one first page", "two second page"]
    assert check_source(config.source) == ["one", "two"]
    assert config.source.place == "'Team'" and config.model_name == "team"
    assert dataset_name(AnnotationSettings(), config.source).startswith("Team-")
    assert SOURCES.descriptions()["wiki"] == "the pages of a wiki"
    # Its code is part of what decides the documents.
    before = fingerprint(config.source)
    (wiki / "their_wiki.py").write_text(WIKI + "\n# changed\n")
    assert fingerprint(config.source) != before


def test_sources_that_do_not_say_which_setting_names_them_are_told_apart_by_all(wiki: Path) -> None:
    (wiki / "their_wiki.py").write_text(WIKI.replace("    identity_keys", "    unused"))
    kind = SOURCES.get("their_wiki:WikiSource")
    names = {dataset_name(AnnotationSettings(), kind.model_validate({"space": space})) for space in ("A", "B")}
    assert len(names) == 2
