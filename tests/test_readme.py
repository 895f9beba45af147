from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def listed_files() -> set[str]:
    """Returns the paths of the README's file tree."""
    [tree] = re.findall(r"```text\n(.*?)```", README, flags=re.S)
    folder, found = "", set()
    for line in tree.splitlines():
        name = line.split()[0]
        if not line.startswith(" "):
            folder = name if name.endswith("/") else ""
            found |= set() if folder else {name}
        else:
            found.add(folder + name)
    return found


def test_the_file_tree_lists_every_module_and_nothing_else() -> None:
    listed = {name for name in listed_files() if name.endswith(".py")}
    modules = {"run.py"}
    for folder in ("pipelines", "steps", "benchmarks"):
        paths = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py") if path.name != "__init__.py")
        modules |= {path.as_posix() for path in paths}
    assert listed == modules


def test_every_file_that_the_readme_names_exists() -> None:
    assert [name for name in listed_files() if not (ROOT / name).exists()] == []
    assert [name for name in re.findall(r"\]\(([\w./-]+)\)", README) if not Path(ROOT / name).exists()] == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.M))
    assert set(re.findall(r"\bmake (\w+)", README)) <= targets
