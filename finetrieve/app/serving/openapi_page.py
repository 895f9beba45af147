"""An OpenAPI document as a page: no script, nothing from another host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from finetrieve.reporting import pages

_EXAMPLES: dict[str, Any] = {"string": "how do I ...", "integer": 5, "number": 0.5, "boolean": True, "null": None}


def render_openapi(document: Mapping[str, Any], *, needs_key: bool) -> str:
    """Returns the page of an API."""
    operations = [
        _operation(path, method.upper(), facts, document)
        for path, methods in document["paths"].items()
        for method, facts in methods.items()
    ]
    return pages.render_page(
        "openapi.html.j2",
        title=document["info"]["title"],
        description=document["info"].get("description", ""),
        needs_key=needs_key,
        operations=operations,
    )


def _operation(path: str, method: str, facts: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    body = facts.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    fields = [(item["name"], item["schema"], item.get("required", False)) for item in facts.get("parameters", [])]
    if body is not None:
        found = _resolved(body, document)
        fields += [(name, schema, name in found.get("required", [])) for name, schema in found.get("properties", {}).items()]
    answer = facts["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema")
    return {
        "path": path,
        "method": method,
        "summary": facts.get("summary", ""),
        "fields": [
            [
                name,
                _type(schema),
                "required" if needed else f"default: {json.dumps(schema.get('default'))}",
                schema.get("description", ""),
            ]
            for name, schema, needed in fields
        ],
        "example": "" if body is None else json.dumps(_example(body, document)),
        "answer": "" if answer is None else json.dumps(_example(answer, document), indent=1),
        "statuses": [[status, item.get("description", "")] for status, item in facts["responses"].items()],
    }


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Any = document
    for part in str(reference).removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "object"))


def _example(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """Returns a value of the schema: defaults where there are some."""
    found = _resolved(schema, document)
    if "const" in found or found.get("default") is not None:
        return found.get("const", found.get("default"))
    if "enum" in found:
        return found["enum"][0]
    if "anyOf" in found:
        return _example(found["anyOf"][0], document)
    if found.get("type") == "array":
        return [_example(found.get("items", {}), document)]
    if found.get("type") == "object" or "properties" in found:
        return {name: _example(item, document) for name, item in found.get("properties", {}).items()}
    return _EXAMPLES.get(str(found.get("type")), "")
