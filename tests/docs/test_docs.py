"""What README and docs/ say can be followed: links, commands, configuration, snippets, the list of modules."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from finetrieve.app import config_reference
from finetrieve.app.catalogue import PIPELINES
from finetrieve.app.config import DEFAULT_CONFIG, Config, read_yaml
from finetrieve.app.remote.stack_file import StackFile
from finetrieve.cli.main import main
from tests.docs import tree
from tests.docs.pages import PAGES, ROOT, Block, anchors, blocks, commands, links, prose

COMMANDS = commands()
PLACEHOLDERS = {"VERSION", "NAME", "FILE", "DIR", "FOLDER", "DATASET"}


def test_the_list_of_modules_is_complete_and_says_what_their_docstrings_say() -> None:
    page = tree.PAGE.read_text(encoding="utf-8")
    assert tree.page_with(tree.file_tree(), page) == page, "run: python -m tests.docs.tree --write"


@pytest.fixture(scope="module")
def reference() -> str:
    return config_reference.reference()


def test_the_configuration_reference_says_what_the_settings_classes_say(reference: str) -> None:
    page = config_reference.PAGE.read_text(encoding="utf-8")
    assert page == reference, "run: python -m finetrieve.app.config_reference --write"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_and_every_picture_is_linked() -> None:
    linked = {(page.parent / link.partition("#")[0]).resolve() for page in PAGES for link in links(page)}
    assert [path.name for path in (ROOT / "docs").rglob("*.*") if path.resolve() not in linked] == []


def test_every_file_that_is_named_exists() -> None:
    folders = "configs|benchmarks|docs|finetrieve|steps|pipelines|tests|notebooks"
    named = rf"(?<![\w/.~-])((?:{folders})/(?:[\w./-]*\.\w+|(?:[\w-]+/)*(?!\w)))"  # a file with its ending, or a folder with its slash
    found = {name for page in PAGES for name in re.findall(named, page.read_text(encoding="utf-8"))}
    assert "steps/" in found and "configs/default.yaml" in found
    assert [name for name in sorted(found) if Path(name).stem not in PLACEHOLDERS and not (ROOT / name).exists()] == []


@pytest.mark.parametrize("words", [words for words in COMMANDS if "run.py" in words or words[0] == "finetrieve"], ids=" ".join)
def test_every_command_is_one_that_the_command_line_takes(words: list[str]) -> None:
    start = words.index("run.py") + 1 if "run.py" in words else 1
    arguments = words[start:]
    parse(main, arguments)
    for option, value in pairwise(arguments):
        if option == "--pipeline":
            assert value in PIPELINES
        if option == "--config" and value not in PLACEHOLDERS:
            assert (ROOT / value).is_file()


def parse(command: click.Command, arguments: list[str]) -> None:
    """Parses the arguments with the parser of the command and of the commands below it; calls none of them."""
    if not isinstance(command, click.Group):
        command.make_context(command.name, list(arguments))
        return
    context = click.Context(command)
    _, rest, _ = command.make_parser(context).parse_args(list(arguments))
    if rest:
        below = command.get_command(context, rest[0])
        assert below is not None, f"no command {rest[0]}"
        parse(below, rest[1:])


def test_an_option_or_command_that_does_not_exist_is_found() -> None:
    for arguments in (
        ["--piplines", "retrain"],
        ["modles"],
        ["models", "export", "--to", "x", "--pooling", "many"],
        ["ask", "--q"],
    ):
        with pytest.raises((click.UsageError, AssertionError)):
            parse(main, arguments)


def test_what_is_named_beside_a_module_stands_in_it() -> None:
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+/[\w/]+\.py)`: `(\w+)`", text)
    assert len(named) > 5
    assert [(path, name) for path, name in named if name not in (ROOT / "finetrieve" / path).read_text(encoding="utf-8")] == []


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {word for words in COMMANDS if words[0] == "make" for word in words[1:]} <= targets


def test_every_program_module_and_extra_that_is_named_exists() -> None:
    programs = {word for words in COMMANDS if words[0] == "python" for word in words[1:2] if word.endswith(".py")}
    assert [name for name in sorted(programs) if Path(name).stem not in PLACEHOLDERS and not (ROOT / name).is_file()] == []
    modules = [words[2] for words in COMMANDS if words[:2] == ["python", "-m"]]
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = {name for words in COMMANDS for found in re.findall(r"\.\[([\w,]+)\]", " ".join(words)) for name in found.split(",")}
    assert named - PLACEHOLDERS <= set(extras)


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: f"{block.page}-{block.code.split(':')[0]}")
def test_every_yaml_block_is_a_part_of_a_valid_file(block: Block) -> None:
    part = yaml.safe_load(block.code)
    if "orchestrator" in part:
        StackFile.model_validate(part)
    else:
        Config.model_validate(merged(read_yaml(DEFAULT_CONFIG), part))


def merged(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Returns the settings with those of `part` in their places; what has another `name` is replaced whole."""
    result = dict(whole)
    for key, value in part.items():
        old = whole.get(key)
        same = isinstance(old, dict) and isinstance(value, dict) and value.get("name", old.get("name")) == old.get("name")
        result[key] = merged(old, value) if same else value
    return result


def test_every_configuration_key_that_the_text_names_exists(reference: str) -> None:
    sections = "|".join(name for name in Config.model_fields if name not in ("name", "seed"))
    named = {key for page in PAGES for key in re.findall(rf"`((?:{sections})(?:\.[a-z_]\w*)+)", prose(page))}
    assert named, "the pattern finds nothing"
    for key in sorted(named):
        section, _, name = key.rpartition(".")
        tables = re.findall(rf"^## `{re.escape(section)}`[^\n]*\n(.*?)(?=^## |\Z)", reference, re.MULTILINE | re.DOTALL)
        assert any(f"| `{name}` |" in table for table in tables), key


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: f"{block.page}-{block.code.splitlines()[0]}")
def test_every_snippet_compiles_and_imports_what_there_is(block: Block) -> None:
    for node in ast.walk(ast.parse(block.code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "finetrieve":
            module = importlib.import_module(str(node.module))
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []


def test_the_address_of_argilla_is_called_by_one_name() -> None:
    assert [page.name for page in PAGES if re.search(r"\bARGILLA_URL\b", page.read_text(encoding="utf-8"))] == []
