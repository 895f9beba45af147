"""JSON Schemas as Markdown: a bullet for each field, with its type, its limits, its default and what it means."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from finetrieve.corpus.parsing.api_file import Lookup, PageParts, Written, as_json, is_true, mapping_of, reference_name, said
from finetrieve.corpus.parsing.cleaning import clean_markdown
from finetrieve.corpus.parsing.markdown import fence_code
from finetrieve.corpus.parsing.page import CleanPage

FIELDS = ("properties", "patternProperties")
CHOICES = {"oneOf": "one of", "anyOf": "any of", "allOf": "all of", "prefixItems": "items in this order"}
SHOWN_ELSEWHERE = frozenset((
    "$ref", "$schema", "type", "format", "description", "title", "enum", "required", "properties", "patternProperties", "items",
    "example", "examples", "default", *CHOICES,
))  # fmt: skip
_PLAIN = re.compile(r"[^<>\[\]`*_#|~&\\{}\n]*")


class SchemaWriter:
    """Writes schemas for one page."""

    def __init__(self, lookup: Lookup, parts: PageParts) -> None:
        self._lookup, self._parts = lookup, parts

    def prose(self, text: Any) -> str:
        """Returns a description, which is Markdown, cleaned."""
        if not isinstance(text, str):
            return "" if text is None else as_json(text)
        if _PLAIN.fullmatch(text):
            return text.strip()
        page = _cleaned(text)
        self._parts.removals += page.removals
        # Of front matter and the like only words in the text count; a title is one of its headings.
        return page.text

    def bullet(self, label: str, schema: Any, notes: tuple[str, ...] = (), indent: str = "", expand: int = 0) -> list[str]:
        """Returns a bullet for a schema and those of its fields below it.

        Args:
            label: What the bullet begins with.
            schema: Its references are followed as often as `expand` says, in what they lead to one time less; others are named.
            notes: Said beside its type.
            indent: Of the bullet.
            expand: See above; a schema that holds itself ends there.
        """
        schema, name, expand = self._followed(schema, expand)
        facts = [part for part in (name, self._type(schema), *notes, *self._limits(schema)) if part]
        first, *rest = self._meaning(schema, label).split("\n")
        head = f"{indent}- {label}" + (f" ({', '.join(facts)})" if facts else "") + (f": {first}" if first else "")
        inner = f"{indent}  "
        return [head, *(f"{inner}{line}" if line else "" for line in rest), *self.children(schema, inner, expand)]

    def whole(self, label: str, schema: Any) -> list[str]:
        """Returns the lines of a page about one schema."""
        shown = schema if isinstance(schema, dict) else {}
        reference = shown.get("$ref")
        named = f"`{reference_name(reference)}`" if isinstance(reference, str) else ""
        facts = [part for part in (named, self._type(shown), *self._limits(shown)) if part]
        facts = facts if isinstance(schema, dict) else [said(schema)]
        lines = [f"Schema `{label}`" + (f": {', '.join(facts)}." if facts else "."), "", self._meaning(shown, label), ""]
        return [*lines, *self.children(shown, "", 0)]

    def children(self, schema: dict[str, Any], indent: str, expand: int) -> list[str]:
        """Returns the bullets of what a schema holds: fields, items, choices, and all else that it says."""
        lines: list[str] = []
        required = _names(schema.get("required"))
        fields = {name: field for key in FIELDS for name, field in mapping_of(schema.get(key)).items()}
        for name, field in fields.items():
            lines += self.bullet(f"`{name}`", field, ("required",) if name in required else (), indent, expand)
        if others := [f"`{name}`" for name in required if name not in fields]:
            lines.append(f"{indent}- required: {', '.join(others)}")
        if "items" in schema and not _is_simple(schema["items"], expand):
            lines += self.bullet("each item", schema["items"], (), indent, expand)
        for key, label in CHOICES.items():
            if isinstance(schema.get(key), list) and not (key in ("oneOf", "anyOf") and self._choice_of_types(schema[key])):
                lines.append(f"{indent}- {label}:")
                for number, choice in enumerate(schema[key], start=1):
                    lines += self.bullet(str(number), choice, (), f"{indent}  ", expand)
        rest = {key: value for key, value in schema.items() if key not in SHOWN_ELSEWHERE and isinstance(value, dict | list)}
        for key, value in rest.items():
            lines += self.anything(key, value, indent)
        return lines

    def anything(self, label: str, value: Any, indent: str = "") -> list[str]:
        """Returns bullets of whatever a description says beyond what is known here."""
        inner = f"{indent}  "
        if isinstance(value, list) and all(not isinstance(item, dict | list) for item in value):
            return [f"{indent}- {label}: {', '.join(said(item) for item in value)}"]
        if isinstance(value, dict | list):
            reference = value.get("$ref") if isinstance(value, dict) else None
            named = f" `{reference_name(reference)}`" if isinstance(reference, str) else ""
            entries = value.items() if isinstance(value, dict) else enumerate(value, start=1)
            below = [(str(key), item) for key, item in entries if not (named and key == "$ref")]
            return [f"{indent}- {label}:{named}", *(line for key, item in below for line in self.anything(key, item, inner))]
        first, *rest = (self.prose(value) if isinstance(value, str) else said(value)).split("\n")
        return [f"{indent}- {label}: {first}", *(f"{inner}{line}" if line else "" for line in rest)]

    def example(self, value: Any) -> list[str]:
        """Returns an example as a block of code."""
        if isinstance(value, dict | list):
            return ["", fence_code(as_json(value), "json"), ""]
        return ["", fence_code(said(value)), ""] if "\n" in said(value) else ["", _code(value), ""]

    def _followed(self, schema: Any, expand: int) -> tuple[dict[str, Any], str, int]:
        """Returns a schema with its reference followed, how that is called, and how many may still be followed."""
        if not isinstance(schema, dict):
            return {"type": said(schema)}, "", expand
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema, "", expand
        name = f"`{reference_name(reference)}`"
        if expand <= 0:
            return schema, name, expand
        found, added = self._lookup.follow(schema)
        self._parts.read(added)
        return found, name, expand - 1

    def _type(self, schema: dict[str, Any]) -> str:
        kind = schema.get("type")
        name = " or ".join(said(item) for item in kind) if isinstance(kind, list) else said(kind) if kind is not None else ""
        if "items" in schema and isinstance(schema["items"], dict) and _is_simple(schema["items"], 0):
            item = schema["items"]
            inner = f"`{reference_name(item['$ref'])}`" if "$ref" in item else self._type(item)
            name = f"{name or 'array'} of {inner}" if inner else name
        for key in ("oneOf", "anyOf"):
            types = self._choice_of_types(schema.get(key))
            name = ", ".join(part for part in (name, types) if part)
        form = schema.get("format")
        return f"{name} {said(form)}".strip() if form is not None else name

    def _choice_of_types(self, choices: Any) -> str:
        """Returns choices as one type where each says nothing but its type."""
        if not isinstance(choices, list) or not all(_is_simple(choice, 0) for choice in choices):
            return ""
        return " or ".join(f"`{reference_name(item['$ref'])}`" if "$ref" in item else self._type(item) for item in choices)

    def _limits(self, schema: dict[str, Any]) -> list[str]:
        """Returns what a schema says in single values: `minimum 1`, `read-only`."""
        limits = []
        for key, value in schema.items():
            if key == "default":
                limits.append(f"default {_code(value)}")
            elif key == "required" and not isinstance(value, list):
                limits.append("required" if is_true(value) else "optional")
            elif key in SHOWN_ELSEWHERE or isinstance(value, dict | list):
                continue
            elif is_true(value):
                limits.append(key)
            else:
                limits.append(f"{key} {_code(value)}")
        return limits

    def _meaning(self, schema: dict[str, Any], label: str) -> str:
        """Returns title, description, values and examples."""
        title = schema.get("title")
        parts = [said(title)] if title is not None and said(title) != label.strip("`") else []
        parts += [self.prose(schema["description"])] if "description" in schema else []
        if "enum" in schema:
            values = schema["enum"] if isinstance(schema["enum"], list) else [schema["enum"]]
            parts.append(f"One of: {', '.join(map(_code, values))}.")
        if "example" in schema:
            parts.append(f"Example: {_code(schema['example'])}")
        if "examples" in schema:
            examples = schema["examples"]
            shown = ", ".join(map(_code, examples)) if isinstance(examples, list) else _code(examples)
            parts.append(f"Examples: {shown}")
        return "\n".join(part for part in parts if part)


def _code(value: Any) -> str:
    text = as_json(value, " ").replace("  ", " ") if isinstance(value, dict | list) else said(value)
    text = re.sub(r"\s+", " ", text)
    quoted = f'"{text}"' if isinstance(value, str) and not isinstance(value, Written) and not text.strip() else text
    return f"`` {quoted} ``" if "`" in quoted else f"`{quoted}`"


def _is_simple(schema: Any, expand: int) -> bool:
    """Whether a schema says nothing but its type, or the name of another."""
    if not isinstance(schema, dict):
        return False
    if set(schema) == {"$ref"} and isinstance(schema["$ref"], str):
        return expand <= 0
    kind = schema.get("type")
    return set(schema) <= {"type", "format"} and isinstance(kind, str | list) and not isinstance(kind, dict)


def _names(value: Any) -> list[str]:
    return [said(name) for name in value] if isinstance(value, list) else []


@lru_cache(maxsize=4096)
def _cleaned(text: str) -> CleanPage:
    return clean_markdown(text)
