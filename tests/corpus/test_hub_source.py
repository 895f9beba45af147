"""The hub source on a directory laid out as the Hub lays a dataset out; both go through `load_dataset`."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from finetrieve.core.errors import InputError
from finetrieve.corpus.sources.hub import HubSource
from finetrieve.corpus.sources.registry import check_source, fingerprint, read_source


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    rows = [
        {"page_content": "Words of one.", "parent_section": "guide", "filename": "https://x.io/a", "token_count": 3},
        {"page_content": "Words of two.", "parent_section": "guide", "filename": "https://x.io/b", "token_count": 3},
    ]
    (tmp_path / "set" / "data").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "set" / "data" / "train-00000-of-00001.parquet")
    (tmp_path / "set" / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n---\n# A dataset\n"
    )
    return tmp_path / "set"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def test_a_directory_is_loaded_as_a_dataset(dataset: Path) -> None:
    source = HubSource(path=str(dataset))
    read = read_source(source)
    assert [(document.text, document.source) for document in read.documents] == [
        ("Words of one.", "https://x.io/a"),
        ("Words of two.", "https://x.io/b"),
    ]
    assert check_source(source) == [document.id for document in read.documents]
    assert fingerprint(source) == fingerprint(source)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "test"}, "No split 'test'.*Splits: train"),
        ({"text_column": "page_contents"}, "Did you mean 'page_content'"),
    ],
)
def test_a_missing_split_or_column_is_named(dataset: Path, settings: dict[str, str], message: str) -> None:
    source = HubSource.model_validate({"path": str(dataset), **settings})
    with pytest.raises(InputError, match=message):
        check_source(source)


def test_a_missing_directory_and_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such directory"):
        check_source(HubSource(path=str(tmp_path / "nowhere")))
    with pytest.raises(InputError, match="No tables"):
        check_source(HubSource(path=str(tmp_path)))


def test_offline_is_answered_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError) as error:
        read_source(HubSource(dataset="nobody/no-such-dataset"))
    assert "nobody/no-such-dataset" in str(error.value)
    assert "\n" not in str(error.value)


def test_one_place_is_given() -> None:
    for given in ({}, {"dataset": "a/b", "path": "c"}):
        with pytest.raises(ValidationError, match="one of the two"):
            HubSource.model_validate(given)
