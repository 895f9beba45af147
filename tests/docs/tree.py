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
    by_folder: dict[Path, list[Path]] = {}
    for path in _modules():
        by_folder.setdefault(path.parent, []).append(path)
    parts = [f"### {folder.as_posix()}/\n\n```text\n{_lines(paths)}```\n" for folder, paths in sorted(by_folder.items())]
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


def _modules() -> Iterator[Path]:
    """Yields the paths of the modules that have a docstring, relative to the project."""
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        if first_sentence(path.read_text(encoding="utf-8")):
            yield path.relative_to(ROOT)


def _lines(paths: list[Path]) -> str:
    width = max(len(path.name) for path in paths)
    return "".join(f"{path.name:{width}}  {first_sentence((ROOT / path).read_text(encoding='utf-8'))}\n" for path in paths)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page_with(file_tree(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(file_tree())
