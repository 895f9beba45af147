"""Files that describe an API or a data format (OpenAPI 3, Swagger 2, JSON Schema): recognised, loaded, references looked up.

Scalars stay as they are written: `1.10` is no number here, and `No` no truth value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import yaml

from finetrieve.core.failures import error_line
from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.parsing.removal import MARKS, Removal

API_SUFFIXES = (".json", ".yaml", ".yml")
"""Endings of files that may describe an API; what is in them decides."""
REFERENCES = "references to other parts of an API's description"
MAX_NODES = 5_000_000
"""Values in a file, those that an alias repeats included; more are no description that people wrote."""
MAX_DEPTH = 200
_SIGNS = re.compile(
    rb"""(?mx) ^\s*\{?\s*["']? openapi ["']? \s*:\s* ["']? 3\. | ["'] openapi ["'] \s*:\s* ["'] 3\.
    | ^\s*\{?\s*["']? swagger ["']? \s*:\s* ["']? 2\. | ["'] swagger ["'] \s*:\s* ["'] 2\.
    | ["']? \$schema ["']? \s*:\s* ["']? https?://json-schema\.org/"""
)
_SCHEMA_KEYS = frozenset(
    ("properties", "$defs", "definitions", "allOf", "anyOf", "oneOf", "items", "enum", "type", "patternProperties")
)


class Written(str):
    """A number, date or truth value as the file has it."""

    __slots__ = ()


def may_describe_api(data: bytes) -> bool:
    """Whether the key of a description is somewhere in a file; only then is it worth to be parsed."""
    return _SIGNS.search(data) is not None


def load_api(text: str) -> dict[str, Any]:
    """Returns the description in a JSON or YAML file.

    Raises:
        ValueError: It is no valid JSON or YAML, or describes no API and no data format.
    """
    try:
        root = _load_json(text) if text.lstrip("\ufeff \t\n").startswith("{") else yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(error_line(error)) from None
    if kind_of(root) == "":
        raise ValueError("it has no key 'openapi', 'swagger' or '$schema' at its top that says what it describes")
    _check_size(root)
    return dict(root)


def kind_of(root: Any) -> str:
    """Returns `openapi`, `swagger` or `json_schema`; an empty string for everything else."""
    if not isinstance(root, dict):
        return ""
    if str(root.get("openapi", "")).startswith("3."):
        return "openapi"
    if str(root.get("swagger", "")).startswith("2."):
        return "swagger"
    # Other `$schema`s say by which schema a file of settings is checked.
    is_schema = "json-schema.org/" in str(root.get("$schema", ""))
    return "json_schema" if is_schema and not _SCHEMA_KEYS.isdisjoint(root) else ""


def said(value: Any) -> str:
    """Returns a scalar as the file has it."""
    return {True: "true", False: "false", None: "null"}[value] if value is None or isinstance(value, bool) else str(value)


def mapping_of(value: Any) -> dict[str, Any]:
    """Returns a value that is an object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def is_true(value: Any) -> bool:
    """Whether a value says yes."""
    return value is True or (isinstance(value, Written) and value.lower() in ("true", "yes", "on"))


def as_json(value: Any, indent: str = "\n") -> str:
    """Returns a value as JSON, with scalars as they are written."""
    inner = f"{indent}  "
    if isinstance(value, dict) and value:
        entries = [f"{json.dumps(str(key), ensure_ascii=False)}: {as_json(item, inner)}" for key, item in value.items()]
        return "{" + ",".join(f"{inner}{entry}" for entry in entries) + indent + "}"
    if isinstance(value, list) and value:
        return "[" + ",".join(f"{inner}{as_json(item, inner)}" for item in value) + indent + "]"
    if isinstance(value, str) and not isinstance(value, Written):
        return json.dumps(value, ensure_ascii=False)
    return "{}" if value == {} else "[]" if value == [] else said(value)


class Lookup:
    """Finds what local references (`#/components/schemas/Pet`) mean, and knows which were followed."""

    def __init__(self, root: dict[str, Any]) -> None:
        self.root = root
        self.followed: set[str] = set()

    def find(self, reference: str) -> Any:
        """Returns what a reference means, None where it means nothing in this file."""
        if not reference.startswith("#"):
            return None
        node: Any = self.root
        for part in reference[1:].split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and key in node:
                node = node[key]
            elif isinstance(node, list) and key.isdigit() and int(key) < len(node):
                node = node[int(key)]
            else:
                return None
        return node

    def follow(self, node: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns a node with the reference in it followed, once or as often as needed, and what was added to it so."""
        given = dict(node) if isinstance(node, dict) else {}
        added: dict[str, Any] = {}
        for _ in range(10):
            reference = given.get("$ref")
            target = self.find(reference) if isinstance(reference, str) else None
            if not isinstance(target, dict):
                break
            self.followed.add(str(reference))
            del given["$ref"]
            new = {key: value for key, value in target.items() if key not in given}
            added.update(new)
            given = {**new, **given}
        return given, added


def reference_name(reference: str) -> str:
    """Returns how people call what a reference means: `Pet`, or the address of another file."""
    return (
        unquote(reference.rpartition("/")[2]).replace("~1", "/").replace("~0", "~") if reference.startswith("#/") else reference
    )


@dataclass(slots=True)
class PageParts:
    """What a page is made of: its lines, and the words that were read for it."""

    lines: list[str] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)

    def read(self, node: Any) -> None:
        """Notes the words of a node that the page shows; what its references mean is noted where they are followed."""
        for kind, text in _walk(node):
            self.source.append(text)
            if kind == "mark":
                self.marks.append(text)
            elif kind == "reference":
                self.references.append(text)

    def page(self, title: str) -> CleanPage:
        """Returns the page."""
        removals = (Removal(MARKS, "\n".join(self.marks)), Removal(REFERENCES, "\n".join(self.references)))
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(self.lines)).strip("\n")
        return CleanPage(title, text, source="\n".join(self.source), removals=(*self.removals, *removals))


def _walk(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield "mark", str(key)
            if key == "$ref" and isinstance(value, str):
                yield "reference", value
            elif key == "$schema":
                yield "mark", said(value)
            else:
                yield from _walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value)
    else:
        yield "mark" if node is None or isinstance(node, bool) or said(node).lower() in ("true", "false") else "text", said(node)


def _load_json(text: str) -> Any:
    return json.loads(text.lstrip("\ufeff"), parse_float=Written, parse_int=Written, parse_constant=Written)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader that leaves scalars as they are written."""


def _written(_: Any, node: yaml.ScalarNode) -> Written:
    return Written(node.value)


for _kind in ("int", "float", "bool", "timestamp", "value"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _written)


def _check_size(root: Any) -> None:
    """Raises a ValueError for a file whose aliases repeat its values without end."""
    waiting, seen = [(root, 0)], 0
    while waiting:
        node, depth = waiting.pop()
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        seen += 1 + len(children)
        if seen > MAX_NODES or depth > MAX_DEPTH:
            raise ValueError("its aliases repeat its values too often" if seen > MAX_NODES else "it is nested too deeply")
        waiting += [(child, depth + 1) for child in children if isinstance(child, dict | list)]
