"""Which files of this project decide what a module computes: what it imports, names in a registry, and reads beside itself."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
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
_REGISTERED = re.compile(r"""["']((?:finetrieve|steps|pipelines)(?:\.\w+)+):\w+["']""")
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
    text = _text(path)
    # The tree is not kept: the garbage collector would go through those of hundreds of files again and again.
    return _files_named_in(ast.parse(text).body, text, path)


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
    lines = _text(path).splitlines()
    files = (_files_named_in([_only(bound[name], name)], _lines_of(bound[name], lines), path) for name in used)
    return frozenset(file for found in files for file in found)


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


def _lines_of(statement: ast.stmt, lines: Sequence[str]) -> str:
    """Returns the text of a statement, with its decorators."""
    first = min(node.lineno for node in (statement, *getattr(statement, "decorator_list", ())))
    return "\n".join(lines[first - 1 : statement.end_lineno])


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(_text(path))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _imports(statements: Iterable[ast.AST]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yields the imports, but for what only type checkers read: it decides no result.

    It looks at statements alone, since every start of a pipeline goes through the whole project: `ast.walk`, which looks at each
    name and number as well, takes ten times as long.
    """
    for node in statements:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            yield from _imports(node.orelse)
        else:
            for block in ("body", "orelse", "handlers", "finalbody", "cases"):
                inner = getattr(node, block, None)
                if isinstance(inner, list):  # that of a lambda or of `a if b else c` is an expression
                    yield from _imports(inner)


def _files_named_in(statements: Iterable[ast.AST], text: str, path: Path) -> frozenset[Path]:
    """Returns the files that statements import, or name in quotes; `text` is theirs."""
    names = {name for node in _imports(statements) for name in _module_names(node, path)} | set(_REGISTERED.findall(text))
    return frozenset({file for name in names for file in _files_of(name)} | _data_files(text, path.parent))


def _data_files(text: str, folder: Path) -> set[Path]:
    """Returns the templates and data in the module's folder that it names, and the files of a folder of data there."""
    beside = [path for path in _entries(folder) if f'"{path.name}"' in text or f"'{path.name}'" in text]
    files = {path for path in beside if path.suffix in (".j2", *_DATA_SUFFIXES) and path.is_file()}
    return files | {path for place in beside for path in place.glob("*") if path.suffix in _DATA_SUFFIXES}


@functools.cache
def _entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix != ".py"]


def _module_names(node: ast.Import | ast.ImportFrom, path: Path) -> set[str]:
    """Returns the modules of this project that an import may mean."""
    if isinstance(node, ast.Import):
        names = {alias.name for alias in node.names}
    else:
        base = _absolute(node, path)
        names = {base} | {f"{base}.{alias.name}" for alias in node.names}
    return {name for name in names if name.split(".")[0] in _PACKAGES}


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parts[: -node.level]
    return ".".join((*package, *([node.module] if node.module else [])))


@functools.cache
def _files_of(name: str) -> frozenset[Path]:
    """Returns the module's file; of a package its `__init__.py`; nothing for a name that is no module."""
    place = ROOT.joinpath(*name.split("."))
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    return frozenset(path for path in candidates if path.is_file())
