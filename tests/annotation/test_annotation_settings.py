from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from finetrieve.annotation.settings import AnnotationSettings, dataset_name
from finetrieve.app.config import load_config
from finetrieve.core.errors import InputError
from finetrieve.corpus.sources.base import Source
from finetrieve.corpus.sources.registry import SourceSettings


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"use": "some"}, "annotation.use: unknown name 'some'. Choose one of: all, reviewed, submitted."),
        ({"url": "localhost:6900"}, "annotation.url: found 'localhost:6900'; expected an address"),
        ({"workspaces": "x"}, "annotation.workspaces: unknown key. Did you mean 'workspace'?"),
        ({"min_submitted": 0}, "annotation.min_submitted: input should be greater than or equal to 1"),
        ({"dataset": ""}, "annotation.dataset:"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, block: dict[str, object], expected: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"source": {"name": "folder", "path": "docs"}, "annotation": block}))
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert expected in str(caught.value)


def test_a_key_that_was_put_where_its_variables_name_belongs_is_not_echoed(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        yaml.safe_dump({"source": {"name": "folder", "path": "docs"}, "annotation": {"api_key_env": "argilla.s3cr3t"}})
    )
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert "s3cr3t" not in str(caught.value) and "annotation.api_key_env" in str(caught.value)


def test_each_corpus_has_its_own_dataset_and_keeps_it(tmp_path: Path) -> None:
    adapter = TypeAdapter[Source](SourceSettings)

    def name(**source: object) -> str:
        return dataset_name(AnnotationSettings(), adapter.validate_python(source))

    one, two = tmp_path / "one" / "docs", tmp_path / "two" / "docs"
    assert name(name="folder", path=str(one)) != name(name="folder", path=str(two))
    assert name(name="folder", path=str(one), include=["*.md"]) == name(name="folder", path=f"{one}/../docs", include=[])
    assert name(name="package", package="sklearn").startswith("sklearn-")
    assert dataset_name(AnnotationSettings(dataset="ours"), adapter.validate_python({"name": "folder", "path": "x"})) == "ours"
