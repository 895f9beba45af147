"""The form of an answer: a JSON Schema or a short form of one, checked before anything is asked."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator, SchemaError
from jsonschema.exceptions import best_match

from finetrieve.core.errors import InputError, did_you_mean

Schema = dict[str, Any]
PLAIN = "answer"
"""The field of an answer that is text alone."""
_TYPES = {"text": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
_JSON_TYPES = frozenset(("string", "integer", "number", "boolean", "object", "array", "null"))
_OPAQUE = frozenset(
    ("allOf", "not", "if", "contains", "patternProperties", "propertyNames", "dependentSchemas", "dependentRequired")
)
"""Keywords for which no example is made."""
_UNCHECKED = ("pattern", "format", "multipleOf")
_DEEPEST = 24


class _NoExampleError(Exception):
    """No example is made of such a schema; it may be met all the same."""


def answer_schema(answer: Schema) -> Schema:
    """Returns the JSON Schema of an answer, of which it is one already or the short form.

    Short: field -> `text`, `integer`, `number`, `boolean`; a list of values, one of which it is; a list of one type or one
    mapping, of which it is a list; a mapping, which is an object; or a JSON Schema.

    Raises:
        InputError: It is neither, or no answer can meet it.
    """
    schema = answer if _is_schema(answer) else _object(answer, "answer")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise InputError(f"answer is no JSON Schema: {error.message[:200]}") from None
    if schema.get("type") != "object" or not schema.get("properties"):
        raise InputError("answer: the JSON Schema must be of type object, with properties.")
    if (why := _why_unmet(schema)) is not None:
        raise InputError(f"answer: no answer can meet the schema: {why}.")
    return schema


def _is_schema(field: Any) -> bool:
    if not isinstance(field, dict):
        return False
    kinds = field.get("type")
    return (
        (isinstance(kinds, str) and kinds in _JSON_TYPES)
        or (isinstance(kinds, list) and bool(kinds) and all(isinstance(kind, str) and kind in _JSON_TYPES for kind in kinds))
        or any(isinstance(field.get(name), list) for name in ("enum", "anyOf", "oneOf", "allOf"))
        or "$ref" in field
        or "const" in field
    )


def _object(fields: Any, place: str) -> Schema:
    if not fields:
        raise InputError(f"{place} is empty: name at least one field, as `question: text`.")
    properties = {str(name): _expanded(field, f"{place}.{name}") for name, field in fields.items()}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _expanded(field: Any, place: str) -> Schema:
    if _is_schema(field):
        return dict(field)
    if isinstance(field, dict):
        return _object(field, place)
    if isinstance(field, list):
        if len(field) == 1 and (isinstance(field[0], dict) or field[0] in _TYPES):
            return {"type": "array", "items": _expanded(field[0], place), "minItems": 1}
        if not field or any(isinstance(value, dict | list) for value in field):
            raise InputError(f"{place}: expected a list of values, one of which the answer has, or of one type, as [text].")
        if twice := [value for value in field if field.count(value) > 1]:
            raise InputError(f"{place}: '{twice[0]}' is there twice.")
        return {"enum": field}
    if isinstance(field, str) and field in _TYPES:
        return {"type": _TYPES[field]}
    known = list(_TYPES)
    raise InputError(
        f"{place}: '{field}' is no type.{did_you_mean(str(field), known)} Choose one of {', '.join(known)}, a list of values, "
        "a mapping of fields, or a JSON Schema."
    )


def items_schema(schema: Schema, name: str) -> Schema | None:
    """Returns the schema of the items of a field that is a list; None where the field is something else."""
    field = schema["properties"].get(name, {})
    field = _referred(str(field["$ref"]), schema) if "$ref" in field else field
    if field.get("type") != "array":
        return None
    items = field.get("items", {})
    items = _referred(str(items["$ref"]), schema) if isinstance(items, dict) and "$ref" in items else items
    return items if isinstance(items, dict) else {}


def example_of(schema: Schema) -> dict[str, Any] | None:
    """Returns an answer that has the schema's form, or None where none is made of such a schema."""
    try:
        made = _example(schema, schema, 0, 0)
    except (_NoExampleError, InputError):
        return None
    return made if isinstance(made, dict) else None


def _why_unmet(schema: Schema) -> str | None:
    """Returns why no answer meets a schema: an answer made after it does not."""
    try:
        made = _example(schema, schema, 0, 0)
    except _NoExampleError:
        return None
    except InputError as error:
        return str(error)
    return schema_mistake(made, _lenient(schema))


def schema_mistake(value: Any, schema: Any) -> str | None:
    """Returns what is wrong with a value under a schema, in words, or None."""
    error = best_match(Draft202012Validator(schema).iter_errors(value))
    if error is None:
        return None
    place = ".".join(str(part) for part in error.absolute_path)
    message = " ".join(error.message.split())
    return f"{message[:200]} ('{place}')" if place else message[:200]


def _lenient(schema: Any) -> Any:
    """Returns the schema without what an example is not made to meet."""
    if isinstance(schema, list):
        return [_lenient(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {key: _lenient(part) for key, part in value.items()} if name in ("properties", "$defs") else _lenient(value)
        for name, value in schema.items()
        if name not in _UNCHECKED
    }


def _example(schema: Any, root: Schema, number: int, depth: int) -> Any:
    """Returns a value for a schema; of one that contradicts itself, one that does not meet it.

    Args:
        schema: Of the value.
        root: The whole, for its references.
        number: Which one of several, which have to differ.
        depth: How deep the value stands in the whole.
    """
    if schema is False:
        raise InputError("a field that has to be there may have no value")
    if schema is True or not schema:
        return "x"
    if depth > _DEEPEST:
        raise InputError("it refers to itself without end")
    if "$ref" in schema:
        return _example(_referred(str(schema["$ref"]), root), root, number, depth + 1)
    if _OPAQUE & set(schema):
        raise _NoExampleError
    if "const" in schema:
        return schema["const"]
    for several in ("anyOf", "oneOf", "enum", "type"):
        if isinstance(options := schema.get(several), list):
            return _first_that_fits(schema, several, options, root, number, depth)
    return _plain_example(schema, root, number, depth)


def _referred(reference: str, root: Schema) -> Any:
    found: Any = root
    for part in reference.removeprefix("#").split("/"):
        if part:
            if not isinstance(found, dict) or part not in found:
                raise InputError(f"'{reference}' refers to nothing")
            found = found[part]
    return found


def _first_that_fits(schema: Schema, several: str, options: list[Any], root: Schema, number: int, depth: int) -> Any:
    """Returns the example of the first option that the rest of the schema allows."""
    if not options:
        raise InputError(f"an empty {several}")
    rest = {name: value for name, value in schema.items() if name != several}
    whole = {**_lenient(rest), **({"$defs": root["$defs"]} if "$defs" in root else {})}
    turned = options[number % len(options) :] + options[: number % len(options)]
    made = []
    for option in turned:
        if several == "enum":
            made.append(option)
        elif isinstance(option, bool):
            continue
        else:
            narrowed = {**rest, **({"type": option} if several == "type" else option)}
            made.append(_example(narrowed, root, number, depth + 1))
    if not made:
        raise InputError(f"an {several} that allows nothing")
    return next((value for value in made if schema_mistake(value, whole) is None), made[0])


def _plain_example(schema: Schema, root: Schema, number: int, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "array" if "items" in schema else "string")
    if kind == "object":
        known = schema.get("properties", {})
        return {
            name: _example(known.get(name, schema.get("additionalProperties", True)), root, number, depth + 1)
            for name in schema.get("required", [])
        }
    if kind == "array":
        first = schema.get("prefixItems", [])
        count = max(int(schema.get("minItems", 0)), 0)
        if count > 1000:
            raise _NoExampleError
        items = schema.get("items", True)
        return [_example(first[place] if place < len(first) else items, root, place, depth + 1) for place in range(count)]
    if kind in ("integer", "number"):
        limits = {name: schema[name] for name in schema if name.lower().endswith("imum")}
        tried = [*limits.values(), *(limit + 1 for limit in limits.values()), *(limit - 1 for limit in limits.values()), 0]
        if {"minimum", "maximum"} & set(limits) and len(limits) > 1:
            tried.append(sum(limits.values()) / len(limits))
        fitting = [value for value in tried if schema_mistake(value, _lenient(schema)) is None]
        return fitting[0] + number if fitting and not limits else fitting[0] if fitting else tried[0]
    if kind == "boolean":
        return number % 2 == 0
    if kind == "null":
        return None
    letters = f"x{number}" if number else "x"
    return letters.ljust(int(schema.get("minLength", 0)), "x")[: schema.get("maxLength") if "maxLength" in schema else None]
