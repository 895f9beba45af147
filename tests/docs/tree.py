"""The file tree in docs/architecture.md, made from the modules' docstrings: `python -m tests.docs.tree --write`."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
FOLDERS = ("pipelines", "steps", "finetrieve", "benchmarks")
START, END = "<!-- tree: python -m tests.docs.tree --write -->\n", "<!-- end of tree -->\n"


def file_tree() -> str:
    """Returns a heading and a list per folder: each module with the first sentence of its docstring."""
    by_folder: dict[Path, list[tuple[Path, str]]] = {}
    for path, sentence in _modules():
        by_folder.setdefault(path.parent, []).append((path, sentence))
    parts = [f"### {folder.as_posix()}/\n\n```text\n{_lines(modules)}```\n" for folder, modules in sorted(by_folder.items())]
    return "\n" + "\n".join(parts)


def page_with(tree: str, page: str) -> str:
    """Returns the page with the tree between its two markers."""
    before, rest = page.split(START)
    return before + START + tree + END + rest.split(END)[1]


def first_sentence(source: str) -> str:
    """Returns the first sentence of a module's docstring, or its first line where that has none; empty without a docstring."""
    paragraph = (ast.get_docstring(ast.parse(source)) or "").split("\n\n")[0]
    text = " ".join(paragraph.split())
    return re.split(r"(?<=[\w`)])\.(?: |$)", text, maxsplit=1)[0]


def _modules() -> Iterator[tuple[Path, str]]:
    """Yields the path of each module that has a docstring, relative to the project, and that docstring's first sentence."""
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        if sentence := first_sentence(path.read_text(encoding="utf-8")):
            yield path.relative_to(ROOT), sentence


def _lines(modules: list[tuple[Path, str]]) -> str:
    width = max(len(path.name) for path, _ in modules)
    return "".join(f"{path.name:{width}}  {sentence}\n" for path, sentence in modules)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page_with(file_tree(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(file_tree())
