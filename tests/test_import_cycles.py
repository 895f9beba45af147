"""No module imports itself in the end: not at its top, not in a function, and not for its types alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def read_modules(folder: Path) -> dict[str, ast.Module]:
    """Returns dotted name -> syntax tree of our modules in a folder; a package's own name is that of its `__init__.py`."""
    paths = (path for part in ("finetrieve", "steps", "pipelines") for path in (folder / part).rglob("*.py"))
    return {
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__"): ast.parse(path.read_text("utf-8"))
        for path in paths
    }


def named_modules(module: str, tree: ast.Module, known: Mapping[str, object]) -> Iterator[str]:
    """Yields the modules among those known that any import in a module names, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in known)
        elif isinstance(node, ast.ImportFrom):
            package = module.rsplit(".", node.level)[0] if node.level else ""
            origin = ".".join(part for part in (package, node.module) if part)
            for name in node.names:
                found = f"{origin}.{name.name}"
                if found in known or origin in known:
                    yield found if found in known else origin


def import_cycle(folder: Path) -> list[str]:
    """Returns a cycle of imports, the first module again at its end; empty where there is none."""
    modules = read_modules(folder)
    imports = {name: set(named_modules(name, tree, modules)) - {name} for name, tree in modules.items()}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.slow
def test_no_modules_import_each_other() -> None:
    assert import_cycle(ROOT) == []


@pytest.mark.parametrize(
    "second",
    [
        "from finetrieve.a import A\n",
        "import finetrieve.a\n",
        "from finetrieve import a\n",
        "from . import a\n",
        "from .a import A\n",
        "def f():\n    from finetrieve.a import A\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from finetrieve.a import A\n",
    ],
)
def test_a_cycle_is_found_wherever_its_import_stands(tmp_path: Path, second: str) -> None:
    (tmp_path / "finetrieve").mkdir()
    for name, text in (("__init__", ""), ("a", "from finetrieve.b import B\n"), ("b", second), ("c", "import finetrieve.a\n")):
        (tmp_path / "finetrieve" / f"{name}.py").write_text(text)
    assert set(import_cycle(tmp_path)) == {"finetrieve.a", "finetrieve.b"}
