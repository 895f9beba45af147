"""What a step's cache key has to know beyond its parameters and inputs.

ZenML's own key has the step's import path, its source, its parameters and its inputs; not the modules that it calls, their
templates, nor the versions of the libraries. `cache_policy` adds them, so an edited helper re-runs the steps that reach it
and no others.
"""

from __future__ import annotations

import ast
import functools
import re
from importlib import metadata
from pathlib import Path

from zenml.config.cache_policy import CachePolicy

ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("steps", "pipelines")
_LEFT_OUT = (Path(__file__).resolve(), ROOT / "steps" / "previews.py")
"""This module, and the pictures of artifacts, which no result depends on."""
_REGISTERED = re.compile(r"^((?:steps|pipelines)(?:\.\w+)+):\w+$")
_LIBRARIES = (
    "bm25s",
    "distilabel",
    "docutils",
    "lemminflect",
    "markdownify",
    "semantic-text-splitter",
    "sentence-transformers",
    "tokenizers",
    "torch",
    "transformers",
)


def cache_policy(step_file: str) -> CachePolicy:
    """Returns the policy for the step in `step_file` (pass `__file__`).

    The key then covers every file of this project that the step's module reaches through its imports or through a registry's
    `"module:name"` strings, the templates they name, and the versions of the libraries that decide results.
    """
    files = [str(path.relative_to(ROOT)) for path in reached_files(Path(step_file).resolve())]
    return CachePolicy(file_dependencies=files, cache_func=library_versions)  # type: ignore[arg-type]  # ZenML resolves a function to its source


def library_versions() -> str:
    """Returns one line of `name==version` for the libraries whose version can change a result."""
    return " ".join(f"{name}=={metadata.version(name)}" for name in _LIBRARIES)


def reached_files(start: Path) -> list[Path]:
    """Returns the project files that `start` reaches, sorted; itself included, what decides no result left out."""
    seen: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in seen or path in _LEFT_OUT:
            continue
        seen.add(path)
        if path.suffix == ".py":
            waiting.extend(_imported_files(path))
    return sorted(seen)


@functools.cache
def _imported_files(path: Path) -> frozenset[Path]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {name for name in _module_names(tree, path) if name.split(".")[0] in _PACKAGES}
    return frozenset({file for name in names for file in _files_of(name)} | _templates(tree, path.parent))


def _templates(tree: ast.AST, folder: Path) -> set[Path]:
    """Returns the templates in the module's folder that it names."""
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {folder / word for word in words if word.endswith(".j2") and (folder / word).is_file()}


def _module_names(tree: ast.AST, path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path)
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and (match := _REGISTERED.match(node.value)):
            names.add(match.group(1))
    return names


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parts[: -node.level]
    return ".".join((*package, *([node.module] if node.module else [])))


def _files_of(name: str) -> set[Path]:
    """Returns the module's file; of a package its `__init__.py`; nothing for a name that is no module."""
    place = ROOT.joinpath(*name.split("."))
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    return {path for path in candidates if path.is_file()}
