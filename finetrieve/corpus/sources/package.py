"""The API documentation of an installed Python package, parsed from its source; nothing of the package is imported.

Not by griffe (2.4.1): scikit-learn's 630 public objects take it 9.1 s of processor instead of 1.0, and of their 4,917 parameters
443 do not keep the type as it is written (`{'a', 'b'}, default='a'` loses its braces), which changes the chunks and every figure.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, get_args

from pydantic import Field

from finetrieve.core.errors import InputError
from finetrieve.core.rows import Document, Skipped
from finetrieve.corpus.parsing.docstrings import Docstring, parse_docstring
from finetrieve.corpus.parsing.markdown import fence_code
from finetrieve.corpus.sources.base import Source, SourceRead
from finetrieve.corpus.sources.python_attributes import Attribute, class_attributes, module_constants
from finetrieve.corpus.sources.python_modules import Definition, ParsedModule, locate_package, parse_module

LEFT_OUT_PARTS = {
    *("tests", "test", "testing", "conftest", "benchmarks", "externals", "vendor", "vendored", "extern", "setup", "__main__"),
}
"""Modules and folders that are no part of what people use."""
TRIVIAL_METHODS = {"get_params", "set_params", "get_metadata_routing", "model_post_init", "model_config"}
SECTION_OF: dict[str, PackageSection] = {
    "Parameters": "parameters",
    "Other parameters": "parameters",
    "Attributes": "attributes",
    "Returns": "returns",
    "Yields": "returns",
    "Raises": "raises",
    "Warns": "raises",
    "Examples": "examples",
    "Methods": "methods",
}
"""The setting that a docstring's section goes by; every other one is among the notes."""
PYTEST_HOOKS = {"setup_module", "teardown_module"}
TRIVIAL_METHOD = re.compile(r"^set_\w+_request$")
MIN_MODULE_WORDS = 8
"""A module's docstring with fewer only names the module."""
MAX_SIGNATURE = 160
"""Characters; the rest of the parameters are listed below anyway."""
MAX_RESOLVED = 12
"""Imports followed from a public name to its definition."""


PackageSection = Literal["parameters", "attributes", "returns", "raises", "examples", "notes", "methods"]
PACKAGE_SECTIONS: tuple[PackageSection, ...] = get_args(PackageSection)


class PackageSource(Source):
    """The API documentation of an installed Python package, parsed from its source."""

    description: ClassVar[str] = "the API documentation of an installed Python package, parsed from its source"
    identity_keys: ClassVar[tuple[str, ...]] = ("package",)

    name: Literal["package"] = "package"
    package: str = Field(min_length=1, pattern=r"^[A-Za-z_][\w.\-]*$")
    """Import name, such as `sklearn`, or a part of a package, such as `sklearn.cluster`."""
    include: list[str] = Field(default_factory=list)
    """Public modules or objects to read with everything below them; all when empty."""
    exclude: list[str] = Field(default_factory=list)
    """Public modules or objects to leave out with everything below them."""
    sections: list[PackageSection] = Field(default=list(PACKAGE_SECTIONS))
    """What is read of an object besides its description; fewer make a smaller corpus of as many documents."""

    def reader(self) -> Package:
        """Returns what reads the documents."""
        return Package(self)

    @property
    def place(self) -> str:
        """Where the documents come from, as people would say it."""
        return f"the package '{self.package}'"


@dataclass(frozen=True, slots=True)
class _PublicObject:
    """A function, class or module that users import."""

    name: str
    """As users import it: `sklearn.cluster.KMeans`."""
    module: str
    """Where it is defined."""
    node: Definition


class Package:
    """Reads the `package` source."""

    def __init__(self, settings: PackageSource) -> None:
        self.settings = settings
        self._skipped: list[Skipped] = []
        self._parsed: dict[str, ParsedModule | None] = {}

    def read(self) -> SourceRead:
        """Returns a document for each public class, function and described module; its id is the dotted public name."""
        documents = [_module_document(module) for module in self._described_modules]
        for found in self._objects:
            try:
                document = _object_document(found, self.settings.sections)
            except (ValueError, RecursionError) as error:
                self._skipped.append(Skipped(found.name, f"its docstring cannot be parsed: {error}"))
                continue
            if document is not None:
                documents.append(document)
        ordered = sorted(documents, key=lambda document: document.id)
        return SourceRead(ordered, self._skipped)

    def check(self) -> list[str]:
        """Returns the dotted names of the documents."""
        names = sorted([*(module.name for module in self._described_modules), *(found.name for found in self._objects)])
        if not names:
            raise InputError(self._nothing_found())
        return names

    def fingerprint(self) -> str:
        """Returns a hash of the source files, in order of their names."""
        digest = hashlib.sha256()
        for name, path in self._files:
            digest.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    # 1. The source files.

    @cached_property
    def _files(self) -> list[tuple[str, Path]]:
        """Module name and path of each source file of the whole package."""
        top = self.settings.package.split(".")[0]
        roots = locate_package(top)
        found: dict[str, Path] = {}
        for root in roots:
            if root.is_file():
                found[top] = root
                continue
            for path in sorted(root.rglob("*.py")):
                parts = (top, *path.relative_to(root).with_suffix("").parts)
                name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
                if not LEFT_OUT_PARTS.intersection(parts[1:]) and not any(_is_test(part) for part in parts[1:]):
                    found.setdefault(name, path)
        if not found:
            raise InputError(f"The package '{top}' is installed without Python source; there is nothing to parse.")
        return sorted(found.items())

    def _module(self, name: str) -> ParsedModule | None:
        """Returns a parsed module, or None where there is none or it cannot be parsed; parsed when it is first asked for."""
        if name not in self._parsed:
            self._parsed[name] = self._parse(name) if name in self._paths else None
        return self._parsed[name]

    @cached_property
    def _paths(self) -> dict[str, Path]:
        return dict(self._files)

    def _parse(self, name: str) -> ParsedModule | None:
        path = self._paths[name]
        try:
            return parse_module(name, path)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            self._skipped.append(Skipped(name, f"cannot be parsed as Python: {error}"))
        except OSError as error:
            self._skipped.append(Skipped(name, f"cannot be read: {error.strerror}"))
        return None

    @cached_property
    def _public_modules(self) -> list[ParsedModule]:
        """The public modules that may hold a name that is wanted."""
        included = self._included
        names = [name for name in self._paths if not _is_private(name)]
        near = [name for name in names if _below(name, included) or any(_below(place, [name]) for place in included)]
        return [module for name in near if (module := self._module(name)) is not None]

    @property
    def _included(self) -> list[str]:
        return self.settings.include or [self.settings.package]

    # 2. Public names.

    @cached_property
    def _objects(self) -> list[_PublicObject]:
        """Each public class and function once, under the shortest name that users import it by."""
        names: dict[tuple[str, str], list[str]] = {}
        nodes: dict[tuple[str, str], Definition] = {}
        for module in self._public_modules:
            for name in self._exports(module):
                public = f"{module.name}.{name}"
                origin = self._resolve(module.name, name) if self._wanted(public) and _is_for_users(name) else None
                if origin is None:
                    continue
                key = (origin[0], origin[1].name)
                nodes[key] = origin[1]
                names.setdefault(key, []).append(public)
        return [
            _PublicObject(min(public, key=lambda dotted: (dotted.count("."), len(dotted), dotted)), key[0], nodes[key])
            for key, public in names.items()
            if _is_documented(nodes[key]) and not _is_deprecated(nodes[key])
        ]

    @cached_property
    def _described_modules(self) -> list[ParsedModule]:
        taken = {found.name for found in self._objects}
        return [
            module
            for module in self._public_modules
            if module.name not in taken
            and self._wanted(module.name)
            and (len((ast.get_docstring(module.tree) or "").split()) >= MIN_MODULE_WORDS or module_constants(module.tree))
        ]

    def _exports(self, module: ParsedModule) -> Iterable[str]:
        if module.listed is not None:
            return module.listed
        if not module.is_package:
            return module.definitions
        top = module.name.split(".")[0]
        own = [name for name, (origin, _) in module.imports.items() if origin.split(".")[0] == top]
        stars = [
            name for origin in module.stars if (starred := self._module(origin)) is not None for name in self._exports(starred)
        ]
        return dict.fromkeys([*module.definitions, *own, *stars])

    def _resolve(self, module_name: str, name: str, depth: int = 0) -> tuple[str, Definition] | None:
        """Returns the module and the definition that a name in a module means, through its imports."""
        module = self._module(module_name) if depth <= MAX_RESOLVED else None
        if module is None:
            return None
        if name in module.definitions:
            return module_name, module.definitions[name]
        if name in module.imports:
            return self._resolve(*module.imports[name], depth + 1)
        return next((found for star in module.stars if (found := self._resolve(star, name, depth + 1))), None)

    def _wanted(self, name: str) -> bool:
        return _below(name, self._included) and _below(name, [self.settings.package]) and not _below(name, self.settings.exclude)

    def _nothing_found(self) -> str:
        wanted = self._included
        public = [name for name in self._paths if not _is_private(name)]
        near = difflib.get_close_matches(wanted[0], public, n=1)
        hint = f" Did you mean '{near[0]}'?" if near and near[0] not in wanted else ""
        return f"No documented public names in {', '.join(wanted)} of the package '{self.settings.package}'.{hint}"


# 3. Documents.


def _module_document(module: ParsedModule) -> Document:
    docstring = parse_docstring(ast.get_docstring(module.tree) or "")
    sections = (f"## {heading}\n\n{text}" for heading, text in docstring.sections)
    constants = _attribute_section("Constants", module_constants(module.tree))
    return Document(module.name, module.name, _join_parts([docstring.summary, docstring.body, *sections, constants]), module.name)


def _attribute_section(heading: str, attributes: Iterable[Attribute]) -> str:
    items = "\n".join(attribute.as_item() for attribute in attributes)
    return f"## {heading}\n\n{items}" if items else ""


def _object_document(found: _PublicObject, wanted: Collection[PackageSection]) -> Document | None:
    node = found.node
    docstring = parse_docstring(ast.get_docstring(node) or "")
    initializer = _method(node, "__init__") if isinstance(node, ast.ClassDef) else node
    if isinstance(node, ast.ClassDef):
        docstring = _with_initializer(docstring, initializer)
    signature = fence_code(_signature(found.name, initializer), "python")
    described = [section for section in docstring.sections if SECTION_OF.get(section[0], "notes") in wanted]
    rest = [f"## {heading}\n\n{text}" for heading, text in described]
    parts = [docstring.summary, signature, docstring.body, *rest]
    if isinstance(node, ast.ClassDef) and "attributes" in wanted:
        known = {word for _, section in docstring.sections for word in re.findall(r"\w+", section)}
        parts.append(
            _attribute_section("Fields", (own for own in class_attributes(node) if own.description or own.name not in known))
        )
    if isinstance(node, ast.ClassDef) and "methods" in wanted:
        parts += _method_sections(node)
    text = _join_parts(parts)
    return Document(id=found.name, title=found.name, text=text, source=found.name) if text else None


def _method_sections(node: ast.ClassDef) -> Iterator[str]:
    for member in node.body:
        if not isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) or _is_hidden(member.name):
            continue
        raw = ast.get_docstring(member)
        if not raw or member.name in TRIVIAL_METHODS or TRIVIAL_METHOD.match(member.name) or _is_deprecated(member):
            continue
        docstring = parse_docstring(raw)
        is_property = any(_decorator(item) in ("property", "cached_property") for item in member.decorator_list)
        signature = "" if is_property else f"`{_signature(member.name, member)}`"
        inner = [f"**{heading}**\n\n{text}" for heading, text in docstring.sections if heading != "Examples"]
        examples = [f"### Examples\n\n{text}" for heading, text in docstring.sections if heading == "Examples"]
        yield _join_parts([f"## {member.name}", docstring.summary, signature, docstring.body, *inner, *examples])


def _with_initializer(docstring: Docstring, initializer: Definition | None) -> Docstring:
    """Returns a class's docstring with what only its `__init__` says."""
    raw = ast.get_docstring(initializer) if initializer is not None else None
    if not raw:
        return docstring
    inner, known = parse_docstring(raw), {heading for heading, _ in docstring.sections}
    told = [text for text in (inner.summary, inner.body) if text not in docstring.summary + docstring.body]
    sections = tuple(section for section in inner.sections if section[0] not in known)
    return Docstring(
        docstring.summary or inner.summary,
        _join_parts([docstring.body, *told[not docstring.summary :]]),
        (*sections, *docstring.sections),
    )


def _signature(name: str, node: Definition | None) -> str:
    """Returns how it is called, with defaults and without annotations."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return f"{name}()"
    arguments = ast.parse(f"def f({ast.unparse(node.args)}): pass").body[0]
    assert isinstance(arguments, ast.FunctionDef)
    for argument in ast.walk(arguments.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    text = ast.unparse(arguments.args)
    if not any(_decorator(item) == "staticmethod" for item in node.decorator_list):
        text = re.sub(r"^(?:self|cls)(?:, (?:/, )?|$)", "", text)
    if len(text) > MAX_SIGNATURE:
        text = text[:MAX_SIGNATURE].rsplit(", ", 1)[0] + ", ..."
    return f"{name}({text})"


def _method(node: ast.ClassDef, name: str) -> Definition | None:
    return next((member for member in node.body if isinstance(member, ast.FunctionDef) and member.name == name), None)


def _join_parts(parts: Iterable[str]) -> str:
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())


def _is_documented(node: Definition) -> bool:
    """Whether a function says what it does, or a class, its `__init__`, a method or an attribute of it does."""
    if len((ast.get_docstring(node) or "").split()) >= 2:
        return True
    if not isinstance(node, ast.ClassDef):
        return False
    methods = (member for member in node.body if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef))
    told = any(
        len((ast.get_docstring(one) or "").split()) >= 2 for one in methods if one.name == "__init__" or not _is_hidden(one.name)
    )
    return told or any(attribute.description for attribute in class_attributes(node))


def _is_hidden(name: str) -> bool:
    return name.startswith("_") and name != "__call__"


def _is_deprecated(node: Definition) -> bool:
    docstring = ast.get_docstring(node) or ""
    marked = any(_decorator(item).rsplit(".", 1)[-1] == "deprecated" for item in node.decorator_list)
    return marked or docstring.lstrip().upper().startswith("DEPRECATED")


def _decorator(node: ast.expr) -> str:
    return ast.unparse(node.func if isinstance(node, ast.Call) else node)


def _is_private(module: str) -> bool:
    return any(part.startswith("_") for part in module.split("."))


def _is_for_users(name: str) -> bool:
    return not name.startswith("_") and name not in PYTEST_HOOKS


def _is_test(part: str) -> bool:
    return part.startswith("test_") or part.endswith("_test")


def _below(name: str, places: list[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)
