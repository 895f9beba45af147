"""OpenAPI 3, Swagger 2 and JSON Schema files as reference pages: one for each operation, each schema, and the rest.

An operation's page names the fields of what is sent and answered, one reference deep; what these hold in turn is on the schemas'
own pages, so descriptions that refer to themselves end there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from finetrieve.corpus.parsing.api_file import Lookup, PageParts, is_true, kind_of, load_api, mapping_of, said
from finetrieve.corpus.parsing.json_schema import SchemaWriter
from finetrieve.corpus.parsing.page import CleanPage

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
SCHEMA_PLACES = {"openapi": ("components", "schemas"), "swagger": ("definitions",)}
EXPANDED = 1
"""References that are followed on an operation's page, one inside another."""
OPERATION_KEYS = frozenset((
    "summary", "description", "operationId", "tags", "deprecated", "parameters", "requestBody", "responses", "security",
))  # fmt: skip
PARAMETER_KEYS = frozenset(("name", "in", "description", "schema", "content", "example", "examples"))
"""What is written of a parameter or header by itself; all else is one of its limits, as in a schema."""

Page = tuple[str, CleanPage]


def api_pages(text: str, file: str) -> list[Page]:
    """Returns name, unique in the file, and page of each operation and schema, after one of what is said of them all.

    Args:
        text: JSON or YAML.
        file: Its name, for a title where it has none.

    Raises:
        ValueError: The text describes no API.
    """
    root = load_api(text)
    pages = list(_schema_file(root, file) if kind_of(root) == "json_schema" else _api(root, file))
    names: dict[str, int] = {}
    unique = []
    for name, page in pages:
        names[name] = names.get(name, 0) + 1
        unique.append((name if names[name] == 1 else f"{name} {names[name]}", page))
    return unique


def _api(root: dict[str, Any], file: str) -> Iterator[Page]:
    lookup, kind = Lookup(root), kind_of(root)
    # 1. Operations.
    pages = [page for place in ("paths", "webhooks") for page in _paths(lookup, mapping_of(root.get(place)), place)]
    # 2. Schemas.
    holder = root
    *outer, last = SCHEMA_PLACES[kind]
    for key in outer:
        holder = mapping_of(holder.get(key))
    schemas = mapping_of(holder.get(last))
    pages += [(f"schema {name}", _schema(lookup, str(name), schema)) for name, schema in schemas.items()]
    # 3. All else: what the API is, its servers, and what no operation refers to.
    yield "overview", _overview(lookup, _rest(lookup, root, kind), file)
    yield from pages


def _rest(lookup: Lookup, root: dict[str, Any], kind: str) -> dict[str, Any]:
    """Returns what of a description no operation and no schema has on its page."""
    rest = {key: value for key, value in root.items() if key not in ("paths", "webhooks", "components")}
    for place in ("paths", "webhooks"):
        items = mapping_of(root.get(place))
        shown = _with_operations(lookup, items)
        rest[place] = {path: item for path, item in items.items() if path not in shown}
    components = {key: value for key, value in mapping_of(root.get("components")).items() if key != "schemas"}
    rest["components"] = {key: _unread(lookup, f"#/components/{key}", group) for key, group in components.items()}
    if kind == "swagger":
        rest.pop("definitions", None)
        rest |= {key: _unread(lookup, f"#/{key}", rest[key]) for key in ("parameters", "responses") if key in rest}
    return {key: value for key, value in rest.items() if value not in ({}, [])}


def _unread(lookup: Lookup, place: str, group: Any) -> Any:
    """Returns what of a group of shared parts no operation refers to."""
    if not isinstance(group, dict):
        return group
    places = {name: f"{place}/{str(name).replace('~', '~0').replace('/', '~1')}" for name in group}
    return {name: part for name, part in group.items() if places[name] not in lookup.followed}


def _with_operations(lookup: Lookup, paths: dict[str, Any]) -> set[str]:
    return {path for path, item in paths.items() if not set(METHODS).isdisjoint(lookup.follow(item)[0])}


def _overview(lookup: Lookup, rest: dict[str, Any], file: str) -> CleanPage:
    parts = PageParts()
    parts.read(rest)
    writer = SchemaWriter(lookup, parts)
    info = dict(mapping_of(rest.get("info")))
    title = said(info.pop("title", "")) or file
    parts.lines += [f"# {title}", "", _lowered(writer.prose(info.pop("description", None)), 1), ""]
    for key, value in {**info, **{key: value for key, value in rest.items() if key not in ("info", "tags")}}.items():
        parts.lines += writer.anything(str(key), value)
    for tag in _list(rest.get("tags")):
        about = dict(tag) if isinstance(tag, dict) else {"name": tag}
        parts.lines += ["", f"## {said(about.pop('name', ''))}", ""]
        parts.lines += [_lowered(writer.prose(about.pop("description", None)), 2)]
        parts.lines += [line for key, value in about.items() for line in writer.anything(str(key), value)]
    return parts.page(title)


def _paths(lookup: Lookup, paths: dict[str, Any], place: str) -> Iterator[Page]:
    for path, given in paths.items():
        item, _ = lookup.follow(given)
        shared = {key: value for key, value in item.items() if key not in METHODS}
        for method in METHODS:
            if isinstance(item.get(method), dict):
                name = f"{method.upper()} {path}" if place == "paths" else f"webhook {path} {method.upper()}"
                yield name, _operation(lookup, name, item[method], shared)


def _operation(lookup: Lookup, name: str, operation: dict[str, Any], shared: dict[str, Any]) -> CleanPage:
    parts = PageParts()
    parts.read({name: ""})
    parts.read(operation)
    parts.read(shared)
    writer = SchemaWriter(lookup, parts)
    summary = " ".join(said(operation.get("summary", "")).split())
    title = f"{summary} ({name})" if summary else name
    # 1. What it does.
    parts.lines += [f"# {title}", ""]
    facts = [f"Operation `{said(operation['operationId'])}`"] if "operationId" in operation else []
    tags = operation.get("tags")
    facts += [f"tags: {', '.join(map(said, tags))}"] if isinstance(tags, list) and tags else []
    facts += ["deprecated"] if is_true(operation.get("deprecated")) else []
    parts.lines += [f"{'; '.join(facts)}." if facts else "", ""]
    for text in (operation.get("description"), shared.get("summary"), shared.get("description")):
        parts.lines += [_lowered(writer.prose(text), 1), ""]
    # 2. What it takes.
    parameters = _parameters(lookup, parts, [*_list(shared.get("parameters")), *_list(operation.get("parameters"))])
    if parameters:
        parts.lines += ["## Parameters", ""]
        for parameter in parameters:
            parts.lines += _parameter(writer, f"`{said(parameter.get('name', ''))}`", parameter)
    if "requestBody" in operation:
        body = _followed(lookup, parts, operation["requestBody"])
        parts.lines += [
            "",
            "## Request body",
            "",
            *_content(lookup, parts, writer, body, ("required",) if is_true(body.get("required")) else ()),
        ]
    # 3. What it answers, and all else.
    for code, given in mapping_of(operation.get("responses")).items():
        answer = _followed(lookup, parts, given)
        parts.lines += ["", f"## Response {code}", "", *_content(lookup, parts, writer, answer, ())]
    rest = {key: value for key, value in operation.items() if key not in OPERATION_KEYS}
    rest |= {key: value for key, value in shared.items() if key not in ("summary", "description", "parameters")}
    for requirement in _list(operation.get("security")):
        rest.setdefault("security", []).append(requirement)
    lines = [line for key, value in rest.items() for line in writer.anything(str(key), value)]
    parts.lines += ["", "## Further", "", *lines] if lines else []
    return parts.page(title)


def _parameters(lookup: Lookup, parts: PageParts, given: list[Any]) -> list[dict[str, Any]]:
    """Returns parameters, those of the operation in place of its path's of the same name."""
    found = [_followed(lookup, parts, parameter) for parameter in given]
    return [item for item in found if item]


def _parameter(writer: SchemaWriter, label: str, parameter: dict[str, Any]) -> list[str]:
    """Returns the bullets of a parameter or header: its own facts and those of its schema are told together."""
    schema = parameter.get("schema")
    limits = {key: value for key, value in parameter.items() if key not in PARAMETER_KEYS}
    notes = (f"in {said(parameter['in'])}",) if "in" in parameter else ()
    merged = {key: value for key, value in parameter.items() if key in ("description", "example", "examples")} | limits
    if not isinstance(schema, dict):
        lines = writer.bullet(label, merged, notes, "", EXPANDED)
    elif set(schema) & set(merged):
        lines = writer.bullet(label, merged, notes, "", EXPANDED) + writer.bullet("value", schema, (), "  ", EXPANDED)
    else:
        lines = writer.bullet(label, {**schema, **merged}, notes, "", EXPANDED)
    return lines + [
        line for key, value in mapping_of(parameter.get("content")).items() for line in writer.anything(str(key), value, "  ")
    ]


def _content(lookup: Lookup, parts: PageParts, writer: SchemaWriter, body: dict[str, Any], notes: tuple[str, ...]) -> list[str]:
    """Returns what a request or a response holds: its description, headers, and for each media type fields and examples."""
    lines = [f"{', '.join(notes)}." if notes else "", _lowered(writer.prose(body.get("description")), 2), ""]
    for name, given in mapping_of(body.get("headers")).items():
        lines += _parameter(writer, f"header `{name}`", _followed(lookup, parts, given))
    contents = dict(mapping_of(body.get("content")))
    if "schema" in body:  # Swagger 2
        contents = {"": {"schema": body["schema"]}, **contents}
    for kind, given in contents.items():
        media = mapping_of(given)
        label = f"`{kind}`" if kind else "body"
        lines += writer.bullet(label, media["schema"], (), "", EXPANDED) if "schema" in media else [f"- {label}"]
        for key, value in media.items():
            if key == "example":
                lines += ["", "Example:", *writer.example(value)]
            elif key == "examples" and isinstance(value, dict):
                lines += [line for name, example in value.items() for line in _example(lookup, parts, writer, str(name), example)]
            elif key != "schema":
                lines += writer.anything(key, value, "  ")
    known = ("description", "headers", "content", "schema", "required")
    for key, value in body.items():
        if key == "examples" and isinstance(value, dict):  # Swagger 2: by media type
            lines += [line for name, example in value.items() for line in ["", f"Example `{name}`:", *writer.example(example)]]
        elif key not in known:
            lines += writer.anything(key, value)
    return lines


def _example(lookup: Lookup, parts: PageParts, writer: SchemaWriter, name: str, given: Any) -> list[str]:
    example = _followed(lookup, parts, given)
    about = [said(example["summary"])] if "summary" in example else []
    about += [writer.prose(example["description"])] if "description" in example else []
    lines = ["", f"Example {name}: {' '.join(about)}".rstrip(": ") + ":"]
    lines += writer.example(example["value"]) if "value" in example else [""]
    rest = {key: value for key, value in example.items() if key not in ("summary", "description", "value")}
    return lines + [line for key, value in rest.items() for line in writer.anything(str(key), value)]


def _followed(lookup: Lookup, parts: PageParts, node: Any) -> dict[str, Any]:
    """Returns a node with its reference followed; what that adds is part of what the page reads."""
    found, added = lookup.follow(node)
    parts.read(added)
    return found


# JSON Schema, by itself and in an API.


def _schema_file(root: dict[str, Any], file: str) -> Iterator[Page]:
    lookup = Lookup(root)
    own = {key: value for key, value in root.items() if key not in ("$defs", "definitions")}
    yield "schema", _schema(lookup, said(root.get("title", "")) or file, own)
    for key in ("$defs", "definitions"):
        for name, schema in mapping_of(root.get(key)).items():
            yield f"schema {name}", _schema(lookup, str(name), schema)


def _schema(lookup: Lookup, name: str, schema: Any) -> CleanPage:
    parts = PageParts()
    parts.read({name: schema})
    lines = SchemaWriter(lookup, parts).whole(name, schema)
    parts.lines += [f"# {name}", "", *(_lowered(line, 1) for line in lines)]
    return parts.page(name)


def _lowered(text: str, level: int) -> str:
    """Returns a description with its headings below those of the page."""
    levels = [len(match) for match in re.findall(r"^(#{1,6}) ", text, re.MULTILINE)]
    if not levels:
        return text
    by = max(0, level + 1 - min(levels))
    fenced = False
    lines = []
    for line in text.split("\n"):
        fenced ^= line.lstrip().startswith(("```", "~~~"))
        match = None if fenced else re.match(r"#{1,6}(?= )", line)
        lines.append(f"{'#' * min(6, len(match[0]) + by)}{line[match.end() :]}" if match else line)
    return "\n".join(lines)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
