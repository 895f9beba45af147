"""OpenAPI, Swagger and JSON Schema files as reference pages: no word lost, references followed, and nothing else read so."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from finetrieve.core.errors import InputError
from finetrieve.corpus.chunking import build_corpus
from finetrieve.corpus.parsing.openapi import api_pages
from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.corpus.sources.folder import FolderSource
from finetrieve.corpus.sources.registry import check_source, read_source, source_from_path
from finetrieve.corpus.word_count import UNEXPLAINED, count_page
from finetrieve.retrieval.base_model import load_tokenizer
from tests.corpus.made_up_words import Words

PETS: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Pet store", "version": "1.10", "description": "# Welcome\n\nKeep *pets*.\n\n## Limits\n\n60 requests."},
    "servers": [{"url": "https://api.acme.example/v1", "description": "Production"}],
    "tags": [{"name": "pets", "description": "All about pets"}],
    "paths": {
        "/pets/{petId}": {
            "parameters": [{"$ref": "#/components/parameters/PetId"}],
            "get": {
                "summary": "Find a pet",
                "description": "Returns one pet.\n\n## Notes\n\nIt may be **slow**.",
                "operationId": "getPet",
                "tags": ["pets"],
                "parameters": [
                    {
                        "name": "fields",
                        "in": "query",
                        "description": "What to return",
                        "schema": {"type": "array", "items": {"type": "string"}, "default": ["name"], "maxItems": 7},
                    }
                ],
                "responses": {
                    "200": {
                        "description": "The pet",
                        "headers": {"X-Rate": {"description": "Calls left", "schema": {"type": "integer"}}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}, "example": {"name": "Rex", "age": 4.50}}},
                    },
                    "404": {"$ref": "#/components/responses/Missing"},
                },
                "x-code": {"lang": "curl"},
            },
            "post": {"deprecated": True, "requestBody": {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}, "responses": {"default": {"description": "Done"}}},
        },
    },
    "components": {
        "parameters": {"PetId": {"name": "petId", "in": "path", "required": True, "description": "Number of the pet", "schema": {"type": "integer", "format": "int64", "minimum": 1}}},
        "responses": {"Missing": {"description": "No such pet"}, "Unused": {"description": "Never answered"}},
        "schemas": {
            "Pet": {
                "type": "object",
                "description": "A pet of the store",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "description": "How it is called", "maxLength": 30},
                    "status": {"type": "string", "enum": ["sold", "free"], "default": "free"},
                    "mother": {"$ref": "#/components/schemas/Pet"},
                    "owner": {"oneOf": [{"$ref": "#/components/schemas/Owner"}, {"type": "null"}]},
                },
            },
            "Owner": {"allOf": [{"type": "object", "properties": {"pets": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}}}}]},
        },
    },
}  # fmt: skip


def read(description: object) -> dict[str, CleanPage]:
    return dict(api_pages(json.dumps(description), "api.json"))


def test_each_operation_and_schema_is_a_page() -> None:
    pages = read(PETS)
    assert list(pages) == ["overview", "GET /pets/{petId}", "POST /pets/{petId}", "schema Pet", "schema Owner"]
    assert [page.title for page in pages.values()] == [
        "Pet store",
        "Find a pet (GET /pets/{petId})",
        "POST /pets/{petId}",
        "Pet",
        "Owner",
    ]
    assert pages["GET /pets/{petId}"].text == (
        "# Find a pet (GET /pets/{petId})\n\nOperation `getPet`; tags: pets.\n\nReturns one pet.\n\n## Notes\n\nIt may be **slow**.\n\n"
        "## Parameters\n\n- `petId` (integer int64, in path, minimum `1`, required): Number of the pet\n"
        "- `fields` (array of string, in query, default `[ \"name\" ]`, maxItems `7`): What to return\n\n"
        "## Response 200\n\nThe pet\n\n- header `X-Rate` (integer): Calls left\n- `application/json` (`Pet`, object): A pet of the store\n"
        "  - `name` (string, required, maxLength `30`): How it is called\n  - `status` (string, default `free`): One of: `sold`, `free`.\n"
        "  - `mother` (`Pet`)\n  - `owner` (`Owner` or null)\n\nExample:\n\n```json\n{\n  \"name\": \"Rex\",\n  \"age\": 4.5\n}\n```\n\n"
        "## Response 404\n\nNo such pet\n\n## Further\n\n- x-code:\n  - lang: curl"
    )  # fmt: skip
    overview = pages["overview"].text
    assert (
        "## Welcome" in overview and "### Limits" in overview and "Never answered" in overview and "No such pet" not in overview
    )
    assert "1.10" in overview and "https://api.acme.example/v1" in overview and "All about pets" in overview
    assert "deprecated" in pages["POST /pets/{petId}"].text


def test_json_and_yaml_say_the_same_and_scalars_stay_as_written() -> None:
    text = "openapi: 3.0.0\ninfo: {title: T, version: 1.10}\npaths:\n  /a:\n    get:\n      description: d\n      responses:\n        200: {description: No, x-at: 2024-01-05, x-big: 1_000}\n"
    pages = dict(api_pages(text, "a.yaml"))
    assert "version: 1.10" in pages["overview"].text
    assert all(word in pages["GET /a"].text for word in ("## Response 200", "No", "2024-01-05", "1_000"))
    as_yaml = dict(api_pages(yaml.safe_dump(PETS, sort_keys=False), "api.yaml"))
    assert {name: page.text for name, page in as_yaml.items()} == {name: page.text for name, page in read(PETS).items()}


# Words.

SCHEMAS: list[Callable[[Words], Any]] = [
    lambda w: {"type": "string", "description": w(), "pattern": w(1), "example": w(1), "format": w(1)},
    lambda w: {"type": ["integer", "null"], "minimum": 3, "default": w(1), "title": w()},
    lambda w: {"type": "array", "items": {"type": "string", "enum": [w(1), w(1)], "description": w()}},
    lambda w: {"type": "object", "properties": {w(1): {"type": "object", "properties": {w(1): {"description": w()}}}}, "required": [w(1)]},
    lambda w: {"oneOf": [{"type": "string", "description": w()}, {"$ref": "#/components/schemas/Loop"}], "discriminator": {"propertyName": w(1), "mapping": {w(1): w(1)}}},
    lambda w: {"allOf": [{"$ref": "#/components/schemas/Loop"}, {"properties": {w(1): True}}], "x-note": w()},
    lambda w: {"anyOf": [{"type": "string"}, {"type": "integer", "format": w(1)}], "examples": [w(1), {"a": w(1)}]},
    lambda w: {"type": "object", "additionalProperties": {"type": "string", "description": w()}, "xml": {"name": w(1)}, "externalDocs": {"url": w(1), "description": w()}},
    lambda w: {"not": {"type": "string", "description": w()}, "if": {"properties": {w(1): {"const": w(1)}}}, "then": {"required": [w(1)]}},
    lambda w: {"prefixItems": [{"description": w()}, {"$ref": "https://other.example/schema.json"}], "items": False, "$comment": w()},
    lambda w: {"description": f"See [{w(2)}](https://x.example/{w(1)}).\n\n- {w()}\n\n| {w(1)} | {w(1)} |\n|---|---|\n| {w(1)} | {w(1)} |\n\n```\n{w()}\n```\n\n<b>{w()}</b>"},
    lambda w: {"$ref": "#/components/schemas/Loop", "description": w()},
    lambda w: True,
    lambda w: {"type": "object", "$defs": {w(1): {"description": w()}}, "patternProperties": {w(1): {"description": w()}}, "dependentRequired": {w(1): [w(1)]}},
]  # fmt: skip


def openapi(words: Words, chosen: random.Random) -> dict[str, Any]:
    def schema() -> Any:
        return chosen.choice(SCHEMAS)(words)

    operation = {
        "summary": words(), "description": words(), "operationId": words(1), "tags": [words(1)], "security": [{words(1): [words(1)]}],
        "servers": [{"url": words(1), "description": words()}], "externalDocs": {"description": words()}, "x-any": [{"a": words()}, words()],
        "parameters": [
            {"name": words(1), "in": "query", "description": words(), "schema": schema(), "style": words(1), "examples": {words(1): {"summary": words(), "value": words()}}},
            {"name": words(1), "in": "header", "content": {"application/json": {"schema": schema()}}},
            {"$ref": "#/components/parameters/Shared"},
        ],
        "requestBody": {"description": words(), "content": {f"text/{words(1)}": {"schema": schema(), "encoding": {words(1): {"contentType": words(1)}}}}},
        "responses": {"200": {"description": words(), "headers": {words(1): {"description": words(), "schema": schema()}}, "links": {words(1): {"operationId": words(1), "description": words()}},
                              "content": {"application/json": {"schema": schema(), "examples": {words(1): {"summary": words(), "value": {words(1): [words(1), 5]}}, "b": {"$ref": "#/components/examples/E"}}}}},
                      "default": {"$ref": "#/components/responses/Error"}},
        "callbacks": {words(1): {"{$request.body#/url}": {"post": {"description": words(), "requestBody": {"$ref": "#/components/requestBodies/Unused"}}}}},
    }  # fmt: skip
    return {
        "openapi": "3.1.0", "jsonSchemaDialect": words(1),
        "info": {"title": words(), "version": words(1), "summary": words(), "contact": {"name": words(), "email": words(1)}, "license": {"name": words()}},
        "servers": [{"url": words(1), "variables": {words(1): {"default": words(1), "enum": [words(1)], "description": words()}}}],
        "tags": [{"name": words(1), "description": words(), "externalDocs": {"url": words(1)}}],
        "paths": {f"/{words(1)}": {"summary": words(), "parameters": [{"name": words(1), "in": "path", "description": words()}], "get": operation}, f"/bare/{words(1)}": {"description": words()}},
        "webhooks": {words(1): {"post": {"description": words(), "responses": {"200": {"description": words()}}}}},
        "security": [{words(1): []}], "x-root": {"deep": [{"deeper": words()}]},
        "components": {
            "schemas": {"Loop": {"description": words(), "properties": {"self": {"$ref": "#/components/schemas/Loop"}, "next": {"$ref": "#/components/schemas/Next"}}},
                        "Next": {"items": {"$ref": "#/components/schemas/Loop"}, "description": words()}, words(1): schema(), "Alias": {"$ref": "#/components/schemas/Alias"}},
            "parameters": {"Shared": {"name": words(1), "in": "query", "description": words(), "schema": {"$ref": "#/components/schemas/Loop"}}, words(1): {"name": words(1), "description": words()}},
            "responses": {"Error": {"description": words(), "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Next"}}}}},
            "examples": {"E": {"value": words()}}, "requestBodies": {"Unused": {"description": words()}},
            "securitySchemes": {words(1): {"type": "oauth2", "description": words(), "flows": {"implicit": {"scopes": {words(1): words()}}}}},
        },
    }  # fmt: skip


def swagger(words: Words, chosen: random.Random) -> dict[str, Any]:
    schema = json.loads(json.dumps(chosen.choice(SCHEMAS)(words)).replace("#/components/schemas/", "#/definitions/"))
    return {
        "swagger": "2.0", "info": {"title": words(), "description": words()}, "host": words(1), "basePath": f"/{words(1)}", "schemes": ["https"], "consumes": [words(1)],
        "paths": {"/a": {"put": {"summary": words(), "produces": [words(1)],
            "parameters": [{"in": "body", "name": words(1), "description": words(), "schema": schema}, {"$ref": "#/parameters/P"}, {"in": "query", "name": words(1), "type": "array", "items": {"type": "string", "description": words()}, "collectionFormat": words(1)}],
            "responses": {"200": {"description": words(), "schema": {"$ref": "#/definitions/Loop"}, "headers": {words(1): {"type": "string", "description": words()}}, "examples": {"application/json": {words(1): words()}}}, "400": {"$ref": "#/responses/R"}}}}},
        "parameters": {"P": {"in": "query", "name": words(1), "type": "string", "description": words()}, "Q": {"in": "query", "name": words(1), "description": words()}},
        "responses": {"R": {"description": words()}, "S": {"description": words()}},
        "definitions": {"Loop": {"description": words(), "properties": {"self": {"$ref": "#/definitions/Loop"}}}, words(1): schema},
        "securityDefinitions": {words(1): {"type": "apiKey", "description": words(), "name": words(1)}},
    }  # fmt: skip


def json_schema(words: Words, chosen: random.Random) -> dict[str, Any]:
    def schema() -> Any:
        return json.loads(json.dumps(chosen.choice(SCHEMAS)(words)).replace("#/components/schemas/", "#/$defs/"))

    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": words(1), "title": words(), "description": words(), "type": "object",
            "properties": {words(1): schema(), words(1): schema(), "loop": {"$ref": "#/$defs/Loop"}, "self": {"$ref": "#"}},
            "$defs": {"Loop": {"description": words(), "items": {"$ref": "#/$defs/Loop"}}, words(1): schema()}}  # fmt: skip


@pytest.mark.parametrize("make", [openapi, swagger, json_schema])
@pytest.mark.parametrize("seed", range(25))
def test_every_word_is_on_a_page_or_has_a_reason(make: Callable[[Words, random.Random], dict[str, Any]], seed: int) -> None:
    words = Words(seed)
    description = make(words, random.Random(seed))
    pages = read(description)
    said = "\n".join(f"{page.title}\n{page.text}" for page in pages.values())
    explained = "\n".join(removal.text for page in pages.values() for removal in page.removals if "target" in removal.reason)
    lost = [word for word in words.used if word not in said and word not in explained]
    assert not lost, f"lost {lost} of\n{json.dumps(description, indent=1)}\nread as\n{said}"
    for name, page in pages.items():
        assert count_page(page).removed[UNEXPLAINED] == 0, f"{name}: {page.source}\n\n{page.text}"


def test_the_words_of_a_file_are_accounted_for_as_far_as_the_chunks(tmp_path: Path) -> None:
    (tmp_path / "api.json").write_text(json.dumps(PETS))
    read = read_source(FolderSource(path=str(tmp_path)))
    report = build_corpus(read, ChunkSettings(), load_tokenizer("embedded"))[1].words
    assert report and UNEXPLAINED not in report.removed
    assert report.total == report.kept + sum(report.removed.values()) and report.kept > 0.5 * report.total


# What is read so, and what is not.

NONE = {
    "package.json": '{"name": "x", "scripts": {"openapi": "3.0"}}',
    "settings.json": '{"$schema": "https://json.schemastore.org/tsconfig", "compilerOptions": {"type": "x"}}',
    "ci.yaml": "jobs:\n  openapi: yes\n",
    "data.yml": "- openapi: 3.0.0\n",
    "about.yaml": "text: we speak openapi and swagger\n",
}


@pytest.mark.parametrize("name", NONE)
def test_other_json_and_yaml_is_no_documentation(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(NONE[name])
    with pytest.raises(InputError):
        read_source(FolderSource(path=str(tmp_path)))
    (tmp_path / "page.md").write_text("# Page\n\nWords of a page.\n")
    assert [page.id for page in read_source(FolderSource(path=str(tmp_path))).documents] == ["page.md"]


@pytest.mark.parametrize("name", ["api.json", "api.yaml", "api.yml"])
def test_docs_takes_a_description_as_a_file_and_in_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(json.dumps(PETS, indent=2, sort_keys=True) if name == "api.json" else yaml.safe_dump(PETS))
    for path in (tmp_path, tmp_path / name):
        source = source_from_path(path)
        assert isinstance(source, FolderSource)
        ids = [page.id for page in read_source(source).documents]
        assert f"{name}#GET /pets/{{petId}}" in ids and set(ids) <= set(check_source(source))


def test_a_broken_description_is_said_and_the_other_pages_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"openapi": "3.0.0", "paths": {')
    (tmp_path / "b.yaml").write_text("openapi: 3.0.0\npaths: [")
    (tmp_path / "page.md").write_text("# Page\n\nWords.\n")
    read = read_source(FolderSource(path=str(tmp_path)))
    assert [page.id for page in read.documents] == ["page.md"]
    assert {item.source: item.reason.partition(":")[0] for item in read.skipped} == dict.fromkeys(
        ("a.json", "b.yaml"), "cannot be parsed as openapi"
    )


MORE = "".join(f"y{number}: &y{number} [{', '.join([f'*y{number - 1}'] * 9)}]\n" for number in range(1, 9))


@pytest.mark.parametrize(
    "text",
    [pytest.param(f"openapi: 3.0.0\ny0: &y0 [1, 2, 3]\n{MORE}", marks=pytest.mark.slow), "openapi: 3.0.0\nx: &x {y: *x}\n"],
)
def test_aliases_that_repeat_without_end_are_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError, match=r"too often|too deeply"):
        api_pages(text, "bomb.yaml")


def test_odd_descriptions_are_read_without_a_fault() -> None:
    for odd in (None, 5, "x", [], [1, {"a": 2}], {}, {"$ref": 5}, {"$ref": "#/nowhere"}, {"$ref": "#/paths"}, True):
        for place in ("info", "servers", "tags", "paths", "components", "security", "webhooks"):
            read({"openapi": "3.0.0", place: odd})
        operation = dict.fromkeys(("summary", "description", "tags", "parameters", "requestBody", "responses", "callbacks"), odd)
        read(
            {
                "openapi": "3.0.0",
                "paths": {"/a": {"get": operation, "parameters": odd}, "/b": odd},
                "components": {"schemas": {"A": odd}, "x": odd},
            }
        )
        read(
            {
                "openapi": "3.0.0",
                "paths": {
                    "/a": {
                        "get": {
                            "parameters": [odd],
                            "requestBody": {"content": odd},
                            "responses": {"200": {"content": {"a/b": odd, "c/d": {"schema": odd, "examples": odd}}}},
                        }
                    }
                },
            }
        )
        for key in ("type", "properties", "items", "enum", "required", "oneOf", "examples", "description", "format"):
            read({"swagger": "2.0", "definitions": {"A": {key: odd}}})
