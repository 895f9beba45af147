"""The modules of an installed Python package: their definitions, imports and `__all__`, parsed without importing anything."""

from __future__ import annotations

import ast
import difflib
import gc
import importlib.machinery
import importlib.metadata
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from finetrieve.core.errors import InputError
from finetrieve.corpus.parsing.encoding import decode

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class ParsedModule:
    """What the top level of a module says."""

    name: str
    is_package: bool
    tree: ast.Module
    definitions: dict[str, Definition] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    listed: list[str] | None = None
    """`__all__`, where it is written out."""


def parse_module(name: str, path: Path) -> ParsedModule:
    """Returns a parsed module.

    Raises:
        OSError: The file cannot be read.
        SyntaxError, ValueError, RecursionError, MemoryError: It cannot be parsed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        with _paused_collection():
            tree = ast.parse(decode(path.read_bytes()))
    return _scan(ParsedModule(name, path.name == "__init__.py", tree))


@contextmanager
def _paused_collection() -> Iterator[None]:
    """Keeps the garbage collector out: it would search each growing syntax tree again and again, two thirds of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def locate_package(top: str) -> list[Path]:
    """Returns the folders (or the one file) of an installed top-level package."""
    spec = importlib.machinery.PathFinder.find_spec(top, None)
    if spec is None:
        raise InputError(f"No installed package '{top}'.{_nearest_package(top)} Install it, or name one that is.")
    if spec.submodule_search_locations:
        return [Path(place) for place in spec.submodule_search_locations]
    if spec.origin and spec.origin.endswith(".py"):
        return [Path(spec.origin)]
    raise InputError(f"The package '{top}' is installed without Python source; there is nothing to parse.")


def _nearest_package(top: str) -> str:
    by_import_name = importlib.metadata.packages_distributions()
    wanted = re.sub(r"[-_.]+", "-", top).lower()
    for import_name, distributions in by_import_name.items():
        if any(re.sub(r"[-_.]+", "-", name).lower() == wanted for name in distributions) and not import_name.startswith("_"):
            return f" The distribution of that name is imported as '{import_name}'."
    near = difflib.get_close_matches(top, by_import_name, n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def _scan(module: ParsedModule) -> ParsedModule:
    """Returns the module with its top-level definitions, imports and `__all__` noted, also those under `if` and `try`."""
    for node in _top_level(module.tree.body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            # Of overloads and of variants for other systems the one with a docstring counts, or else the last.
            if node.name not in module.definitions or not ast.get_docstring(module.definitions[node.name]):
                module.definitions[node.name] = node
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(module, node)
            for alias in node.names:
                if alias.name == "*":
                    module.stars.append(origin)
                else:
                    module.imports.setdefault(alias.asname or alias.name, (origin, alias.name))
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            _note_all(module, node)
    return module


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _top_level([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _top_level([*node.body, *node.orelse, *(inner for handler in node.handlers for inner in handler.body)])


def _origin(module: ParsedModule, node: ast.ImportFrom) -> str:
    """Returns the full name of the module that an import is from."""
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    parts = parts[: len(parts) - node.level + (1 if module.is_package else 0)]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _note_all(module: ParsedModule, node: ast.Assign | ast.AugAssign | ast.AnnAssign) -> None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if not any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
        return
    if isinstance(node.value, ast.List | ast.Tuple):
        names = [item.value for item in node.value.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
        module.listed = [*(module.listed or []), *names]
