"""JSON Schemas of the YAML files, with which an editor completes and checks them: `python -m finetrieve.app.config_schema`."""

from __future__ import annotations

import ast
import functools
import inspect
import json
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from finetrieve.app.config import DEFAULT_CONFIG, Config
from finetrieve.app.remote.stack_file import STACKS, StackFile

SCHEMAS: dict[Path, type[BaseModel]] = {
    DEFAULT_CONFIG.with_name("config.schema.json"): Config,
    STACKS / "stack.schema.json": StackFile,
}
"""Schema file -> the settings class of the YAML files beside it."""


class _DescribedSchema(GenerateJsonSchema):
    """Gives each setting the docstring under it as its description, and no title: its name says as much."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # pydantic's signature
        """Returns False."""
        return False

    def model_schema(self, schema: Any) -> dict[str, Any]:
        """Returns the schema of a settings class."""
        found = super().model_schema(schema)
        for name, text in field_docstrings(schema["cls"]).items():
            if name in found.get("properties", {}):
                found["properties"][name]["description"] = text
        return found


@functools.cache
def field_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Returns setting -> the docstring under it, of a settings class and those that it inherits from."""
    found: dict[str, str] = {}
    for parent in reversed(model.__mro__):
        if issubclass(parent, BaseModel) and parent is not BaseModel:
            [definition] = ast.parse(textwrap.dedent(inspect.getsource(parent))).body
            assert isinstance(definition, ast.ClassDef)
            for field, text in pairwise(definition.body):
                if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                    found[ast.unparse(field.target)] = inspect.cleandoc(str(text.value.value))
    return found


def schema_text(model: type[BaseModel]) -> str:
    """Returns the JSON Schema of a YAML file whose settings a class describes."""
    schema = model.model_json_schema(schema_generator=_DescribedSchema)
    return json.dumps({"$schema": GenerateJsonSchema.schema_dialect, **schema}, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Writes the schema files."""
    for path, model in SCHEMAS.items():
        path.write_text(schema_text(model), encoding="utf-8")


if __name__ == "__main__":
    main()
