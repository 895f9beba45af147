"""Settings: what is wrong is said before any work."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from finetrieve.corpus.settings import ChunkSettings
from finetrieve.corpus.sources.base import Source
from finetrieve.corpus.sources.folder import FolderSource
from finetrieve.corpus.sources.package import PackageSource
from finetrieve.corpus.sources.registry import SOURCES, SourceSettings
from tests.imported_modules import imported


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_tokens": 16}, "greater than or equal to 32"),
        ({"max_tokens": 64, "overlap_tokens": 40}, "over half of max_tokens"),
        ({"max_tokens": 64, "min_tokens": 80}, "over max_tokens"),
        ({"near_duplicate_threshold": 1.5}, "less than or equal to 1"),
        ({"max_token": 128}, "Extra inputs"),
    ],
)
def test_chunk_settings_are_checked(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ChunkSettings.model_validate(settings)


def test_sources_are_found_by_name() -> None:
    adapter = TypeAdapter[Source](SourceSettings)
    assert isinstance(adapter.validate_python({"name": "package", "package": "sklearn"}), PackageSource)
    with pytest.raises(ValidationError, match="folder"):
        adapter.validate_python({"name": "folders", "path": "x"})
    assert set(SOURCES.names()) == {"folder", "files", "package", "pypi", "web", "git", "hub"}


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="no pattern"):
        FolderSource(path="x", include=["!"])


@pytest.mark.slow
def test_checking_a_source_imports_nothing_heavy() -> None:
    code = (
        "from finetrieve.corpus.sources.package import PackageSource; from finetrieve.corpus.sources.registry import check_source; "
        "check_source(PackageSource(package='pydantic'))"
    )
    heavy = "torch", "zenml", "pandas", "datasets", "sklearn", "transformers", "nbformat", "docutils"
    assert imported(code, *heavy) == set()
