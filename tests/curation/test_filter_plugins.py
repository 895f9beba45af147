"""A filter of somebody else's: one class in one file, found by an entry point or by its dotted name."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetrieve.app.config import load_config
from finetrieve.core.code_hash import plugin_hash
from finetrieve.core.corpus import Corpus
from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, GeneratedQuery
from finetrieve.core.tables import to_table
from finetrieve.curation.curate import curate
from tests.installed_package import install_package

POLITE = """
from typing import ClassVar
from finetrieve.curation.filters import QueryFilter

class PoliteFilter(QueryFilter):
    description: ClassVar[str] = "says please"
    name: str = "polite"
    word: str = "please"

    def find_rejects(self, queries, given):
        rows = [row for row in queries if self.word in row.query and given.corpus.chunk(row.chunk_id).title == "Keys"]
        return {row.id: f"says {self.word}" for row in rows}
"""


@pytest.fixture
def polite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    entry_points = "[finetrieve.filters]\npolite = their_filters:PoliteFilter\n"
    install_package(tmp_path, monkeypatch, entry_points, their_filters=POLITE)
    return tmp_path / "polite.yaml"


@pytest.mark.parametrize("name", ["polite", "their_filters:PoliteFilter"])
def test_a_filter_is_one_class_that_an_entry_point_or_a_dotted_name_finds(polite: Path, name: str) -> None:
    polite.write_text(f"source: {{name: folder, path: .}}\nfilters: [{{name: length}}, {{name: '{name}', word: kindly}}]\n")
    filters = load_config(polite).filters
    rows = [
        GeneratedQuery(query, "a", query, None, "how_to", "rules", "test") for query in ("kindly rotate keys", "rotate the keys")
    ]
    corpus = Corpus.from_rows([Chunk("a", "doc", "source", "Keys", "", "Rotate it.", 5, 0)])
    result = curate(to_table(rows, GeneratedQuery), corpus, filters)
    assert result.queries.column("query").to_pylist() == ["rotate the keys"]
    assert result.rejects.to_pylist() == [
        {"id": "kindly rotate keys", "chunk_id": "a", "query": "kindly rotate keys", "filter": name, "reason": "says kindly"}
    ]
    assert result.report.root[name].kept == 1
    assert plugin_hash([type(filters[1])]) and not plugin_hash([type(filters[0])])


def test_a_setting_that_their_filter_has_not_is_named(polite: Path) -> None:
    polite.write_text("source: {name: folder, path: .}\nfilters: [{name: polite, wrd: x}]\n")
    with pytest.raises(InputError, match=r"filters\[0\]\.wrd: unknown key\. Did you mean 'word'"):
        load_config(polite)
