"""Which files of this project decide what a module computes: what it imports, names in a registry, and reads beside itself."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from finetrieve.core.paths import ROOT

_PACKAGES = ("finetrieve", "steps", "pipelines")
_LEFT_OUT = (
    ROOT / "steps" / "caching.py",
    Path(__file__).resolve(),
    ROOT / "finetrieve" / "reporting" / "artifact_pages.py",
)
"""What makes cache keys, and the pictures of artifacts: no result depends on them."""
_REGISTERED = re.compile(r"^((?:finetrieve|steps|pipelines)(?:\.\w+)+):\w+$")
_DATA_SUFFIXES = (".jsonl", ".tsv", ".txt")

_LIBRARIES = (
    "bm25s",
    "distilabel",
    "docutils",
    "lemminflect",
    "lxml",
    "markdown-it-py",
    "mdit-py-plugins",
    "py3langid",
    "PyStemmer",
    "regex",
    "semantic-text-splitter",
    "sentence-transformers",
    "stop-words",
    "tokenizers",
    "torch",
    "transformers",
)


_EXTRAS = ("mammoth", "pdfminer.six", "pdfplumber")
"""Libraries that need not be installed: without them some files are not read, which is another result."""


def library_versions() -> str:
    """Returns one line of `name==version` for the libraries whose version can change a result."""
    installed = [name for name in _EXTRAS if importlib.util.find_spec(name.replace(".six", ""))]
    return " ".join(f"{name}=={_version(name)}" for name in (*_LIBRARIES, *installed))


@functools.cache
def _version(name: str) -> str:
    return metadata.version(name)


def code_hash(start: Path) -> str:
    """Returns a hash of the files that `start` reaches."""
    digest = hashlib.sha256()
    for path in reached_files(start.resolve()):
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def plugin_hash(plugins: Iterable[type]) -> str:
    """Returns a hash of the source files of plug-in classes that are not this project's; empty where all of them are.

    The project's own are reached by the names in its registries. A class without a source file counts by its name.
    """
    foreign = {plugin for plugin in plugins if plugin.__module__.split(".")[0] not in _PACKAGES}
    digest = hashlib.sha256()
    for plugin in sorted(foreign, key=lambda plugin: (plugin.__module__, plugin.__qualname__)):
        file = getattr(sys.modules.get(plugin.__module__), "__file__", None)
        digest.update(f"{plugin.__module__}:{plugin.__qualname__}\0".encode())
        digest.update(Path(file).read_bytes() if file and Path(file).is_file() else b"")
    return digest.hexdigest()[:16] if foreign else ""


def reached_files(start: Path, function: str | None = None) -> list[Path]:
    """Returns the project files that `start` reaches, sorted; itself included, what decides no result left out.

    Args:
        start: A file of this project.
        function: Of that file only what this function uses; the file itself is then left out, since ZenML's own key has the
            function's source.

    Raises:
        LookupError: There is no such function in the file.
    """
    seen: set[Path] = set()
    waiting = [start] if function is None else list(_files_of_function(start, function))
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
    return _files_named_in(_tree(path), path)


def _files_of_function(path: Path, function: str) -> frozenset[Path]:
    """Returns the files that one function reaches, through the names of its module that it uses as well."""
    bound: dict[str, ast.stmt] = {}
    for statement in _tree(path).body:
        bound |= dict.fromkeys(_bound_names(statement), statement)
    if function not in bound:
        raise LookupError(f"There is no function '{function}' in {path}.")
    used: set[str] = set()
    waiting = [function]
    while waiting:
        name = waiting.pop()
        if name in bound and name not in used:
            used.add(name)
            waiting.extend(node.id for node in ast.walk(bound[name]) if isinstance(node, ast.Name))
    return frozenset(file for name in used for file in _files_named_in(_only(bound[name], name), path))


def _bound_names(statement: ast.stmt) -> list[str]:
    """Returns the names that a statement at the top of a module gives a meaning to."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.split(".")[0] for alias in statement.names]
    return [node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def _only(statement: ast.stmt, name: str) -> ast.stmt:
    """Returns an import with the one name alone; any other statement as it is."""
    if not isinstance(statement, ast.Import | ast.ImportFrom):
        return statement
    names = [alias for alias in statement.names if name in (alias.asname, alias.name.split(".")[0])]
    if isinstance(statement, ast.Import):
        return ast.Import(names)
    return ast.ImportFrom(statement.module, names, statement.level)


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports_and_constants(tree: ast.AST) -> list[ast.Import | ast.ImportFrom | ast.Constant]:
    """Returns these nodes, but for what only type checkers read: it decides no result.

    Written out because every start of a pipeline goes through the whole project: `ast.walk` takes three times as long.
    """
    found: list[ast.Import | ast.ImportFrom | ast.Constant] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Constant):
            found.append(node)
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting.extend(node.orelse)
        elif not isinstance(node, ast.Name):
            for value in vars(node).values():
                if isinstance(value, list):
                    waiting.extend(item for item in value if isinstance(item, ast.AST))
                elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
                    waiting.append(value)
    return found


def _files_named_in(tree: ast.AST, path: Path) -> frozenset[Path]:
    nodes = _imports_and_constants(tree)
    names = {name for name in _module_names(nodes, path) if name.split(".")[0] in _PACKAGES}
    return frozenset({file for name in names for file in _files_of(name)} | _data_files(nodes, path.parent))


def _data_files(nodes: Iterable[ast.AST], folder: Path) -> set[Path]:
    """Returns the templates and data in the module's folder that it names, and the files of a folder of data there."""
    words = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    beside = [path for path in _entries(folder) if path.name in words]
    files = {path for path in beside if path.suffix in (".j2", *_DATA_SUFFIXES) and path.is_file()}
    return files | {path for place in beside for path in place.glob("*") if path.suffix in _DATA_SUFFIXES}


@functools.cache
def _entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix != ".py"]


def _module_names(nodes: Iterable[ast.AST], path: Path) -> set[str]:
    names: set[str] = set()
    for node in nodes:
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
