from __future__ import annotations

from pathlib import Path

import pytest

import finetrieve
from finetrieve import Config, InputError, load_config
from tests.imported_modules import imported


@pytest.mark.parametrize("name", finetrieve.__all__)
def test_each_public_name_exists_and_says_what_it_is(name: str) -> None:
    assert getattr(finetrieve, name).__doc__
    assert f"`{name}" in str(finetrieve.__doc__)


def test_another_name_is_refused_as_in_any_module() -> None:
    with pytest.raises(AttributeError, match="no attribute 'staging_model'"):
        finetrieve.staging_model  # noqa: B018


def test_importing_the_package_imports_neither_zenml_nor_torch_nor_pydantic() -> None:
    assert imported("import finetrieve", "zenml", "torch", "pydantic") == set()


def test_a_configuration_is_loaded_and_a_mistake_in_it_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("source: {name: folder, path: docs}\n")
    assert isinstance(load_config(str(path)), Config)
    path.write_text("source: {name: folder, path: docs}\nsede: 1\n")
    with pytest.raises(InputError, match="Did you mean 'seed'"):
        load_config(path)
