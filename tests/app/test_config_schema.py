from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from finetrieve.app.config import Config
from finetrieve.app.config_schema import SCHEMAS, field_docstrings, schema_text

FILES = [(path, schema) for schema in SCHEMAS for path in sorted(schema.parent.glob("*.yaml"))]


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_the_schema_is_that_of_the_settings_classes(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == schema_text(SCHEMAS[path]), "run: python -m finetrieve.app.config_schema"


@pytest.mark.parametrize(("path", "schema"), FILES, ids=lambda path: path.name)
def test_each_file_names_its_schema_and_is_valid_under_it(path: Path, schema: Path) -> None:
    first, *_ = path.read_text(encoding="utf-8").splitlines()
    assert first == f"# yaml-language-server: $schema={schema.name}"
    validator = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    assert [error.message for error in validator.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))] == []


def test_the_schema_finds_a_mistyped_key_and_describes_the_known_ones() -> None:
    schema = json.loads(schema_text(Config))
    source = {"name": "folder", "path": "docs"}
    assert list(Draft202012Validator(schema).iter_errors({"source": source, "sede": 1}))
    assert schema["properties"]["name"]["description"] == field_docstrings(Config)["name"]
    assert "Hub id" in schema["$defs"]["TrainingSettings"]["properties"]["base_model"]["description"]


def test_the_schema_takes_a_class_of_ones_own_by_its_dotted_name_and_no_other_unknown_name() -> None:
    validator = Draft202012Validator(json.loads(schema_text(Config)))
    assert validator.is_valid({"source": {"name": "our.wiki:WikiSource", "space": "HELP"}})
    assert not validator.is_valid({"source": {"name": "wiki", "space": "HELP"}})
    assert not validator.is_valid({"source": {"space": "HELP"}})
