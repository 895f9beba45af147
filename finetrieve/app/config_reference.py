"""Configuration reference as Markdown, from the settings classes: `python -m finetrieve.app.config_reference --write`."""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from finetrieve.app.config import Config
from finetrieve.app.config_schema import field_docstrings
from finetrieve.core.paths import ROOT

PAGE = ROOT / "docs" / "configuration.md"
HEAD = """# Configuration: every key

<!-- Written by `python -m finetrieve.app.config_reference --write`; a test compares it with the settings classes. -->

A run is described by one YAML file. [configs/default.yaml](../configs/default.yaml) spells every key out: copy it, change
what differs, and pass it with `--config`. A key that is left out takes the default below. An unknown key is an error that
names the nearest known one. Relative paths are looked up beside the YAML file, then in the working directory.
`python run.py --list` prints every name that can stand for a source, recipe, provider, style, persona, filter, loss or arm.
Keys and passwords never stand in this file: it names the environment variable or the ZenML secret that holds them.
"""
_TYPE_NAMES = {str: "text", int: "integer", float: "number", bool: "true, false", type(None): "null"}
_LIMITS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
_LAST = "query_logs"
"""Its sets share settings with recipes, which is where a reader looks for them."""
_CONTAINERS: dict[object, str] = {list: "[]", dict: ".NAME"}


def reference() -> str:
    """Returns the page: a table of keys for each settings class, with type, default and meaning."""
    return "\n".join([HEAD, *_sections("", Config, "", set())])


def _sections(path: str, model: type[BaseModel], variant: str, shown: set[type]) -> Iterator[str]:
    """Yields the section of one settings class, then those of the classes that its keys hold; no class twice."""
    shown.add(model)
    fields = {name: field for name, field in model.model_fields.items() if not _is_tag(name, field)}
    rows = [_row(model, name, field) for name, field in fields.items()]
    table = "\n".join(["", "| key | type | default | meaning |", "|---|---|---|---|", *rows, ""]) if rows else ""
    yield f"## {f'`{path}`{variant}' if path else 'The top level'}\n\n{_summary(model)}\n{table}"
    for name, field in sorted(fields.items(), key=lambda item: item[0] == _LAST):
        inner = _models(field.annotation, field.metadata)
        within = f"{path}.{name}".lstrip(".") + _CONTAINERS.get(typing.get_origin(field.annotation), "")
        for settings in inner:
            if settings not in shown:
                yield from _sections(within, settings, f": `{_tag(settings)}`" if len(inner) > 1 else "", shown)


def _row(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    said = field.description or field_docstrings(model).get(name, "") or _meaning(_models(field.annotation, field.metadata))
    meaning = re.sub(r"\bNone\b", "null", " ".join(said.split()))
    cells = (f"`{name}`", _type(field.annotation, field.metadata), _default(field), meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _meaning(inner: list[type[BaseModel]]) -> str:
    """Returns what the classes that a key holds say of themselves; of several, their names."""
    return _summary(inner[0]) if len(inner) == 1 else ", ".join(f"`{_tag(settings)}`" for settings in inner)


def _summary(model: type[BaseModel]) -> str:
    """Returns the first paragraph of a class's docstring."""
    return " ".join(inspect.cleandoc(model.__doc__ or "").split("\n\n")[0].split())


def _type(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """Returns a type in words: `integer ≥ 1`, `list of text`, `fp32 or auto`."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(inner[0], [limit for item in inner[1:] for limit in getattr(item, "metadata", [item])])
    if origin in (typing.Union, types.UnionType):
        options = sorted(inner, key=lambda option: option is type(None))
        return " or ".join(dict.fromkeys(_type(option, metadata if option is not type(None) else ()) for option in options))
    if origin is typing.Literal:
        return " or ".join(f"`{option}`" for option in inner)
    if origin is list:
        return f"list of {_type(inner[0])}"
    if origin is dict:
        return f"mapping of {_type(inner[0])} to {_type(inner[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "settings"
    name = _TYPE_NAMES.get(annotation, "path" if "Path" in str(annotation) else str(annotation))
    limits = [f"{sign} {getattr(limit, key):,}" for limit in metadata for key, sign in _LIMITS.items() if hasattr(limit, key)]
    return " ".join([name, ", ".join(limits)]).strip()


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "as below"
    if isinstance(value, dict):
        value = list(value) or {}
    if isinstance(value, list):
        value = [item.model_dump(mode="json") if isinstance(item, BaseModel) else item for item in value]
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n").removesuffix("\n...")
    return f"`{text}`"


def _models(annotation: Any, metadata: Iterable[Any] = ()) -> list[type[BaseModel]]:
    """Returns the settings classes that a key can hold: by itself, in a list or in a mapping, or from a registry of names."""
    for item in metadata:
        if (registry := getattr(item, "registry", None)) is not None:
            return list(registry.classes().values())
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Annotated:
        return _models(inner[0], inner[1:])
    return [model for part in inner for model in _models(part)]


def _tag(model: type[BaseModel]) -> str:
    return str(model.model_fields["name"].default)


def _is_tag(name: str, field: FieldInfo) -> bool:
    """Whether a key is the name that chose the class: the section's title has it."""
    return name == "name" and isinstance(field.default, str)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(reference(), encoding="utf-8")
    else:
        print(reference())
