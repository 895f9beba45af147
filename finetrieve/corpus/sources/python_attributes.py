"""Fields, attributes and constants of a class or module as its source has them, with what is written of them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass

from finetrieve.core.text import word_set

FIELD_DECORATORS = word_set("dataclass dataclasses.dataclass attrs.define attrs.frozen attr.s attr.attrs define frozen")
FIELD_BASES = {"NamedTuple", "TypedDict", "BaseModel", "BaseSettings", "Enum", "IntEnum", "StrEnum", "Flag", "IntFlag"}
"""Classes whose body is a list of what they hold, whether it is described or not."""
MAX_VALUE = 60
"""Characters of a default; a longer one is code."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A name that a class or module holds."""

    name: str
    annotation: str
    value: str
    """Its default or value as it is written; empty where there is none, or a long one."""
    description: str

    def as_item(self) -> str:
        """Returns the attribute as an item of a Markdown list."""
        kind = f" ({self.annotation})" if self.annotation else ""
        value = f" = `{self.value}`" if self.value else ""
        description = " ".join(self.description.split("\n\n")[0].split())
        rest = "\n\n".join(self.description.split("\n\n")[1:])
        return f"- **{self.name}**{kind}{value}{f': {description}' if description else ''}" + (f"\n\n{rest}" if rest else "")


def class_attributes(node: ast.ClassDef) -> list[Attribute]:
    """Returns the public fields of a class of fields, and of any class what is described below its assignment."""
    initializer = next(
        (member for member in node.body if isinstance(member, ast.FunctionDef) and member.name == "__init__"), None
    )
    own = list(_assigned(node.body, ""))
    found = own if holds_fields(node) else [attribute for attribute in own if attribute.description]
    inner = _assigned(initializer.body, "self") if initializer else ()
    return [*found, *(attribute for attribute in inner if attribute.description)]


def module_constants(tree: ast.Module) -> list[Attribute]:
    """Returns the public names of a module that are described below their assignment."""
    return [attribute for attribute in _assigned(tree.body, "") if attribute.description]


def holds_fields(node: ast.ClassDef) -> bool:
    """Returns whether the class is a dataclass, an enumeration, a model or the like."""
    decorators = {ast.unparse(item.func if isinstance(item, ast.Call) else item) for item in node.decorator_list}
    bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    return bool(decorators & FIELD_DECORATORS or bases & FIELD_BASES)


def _assigned(body: list[ast.stmt], owner: str) -> Iterator[Attribute]:
    for number, node in enumerate(body):
        target: ast.expr | None = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
        name = _name(target, owner)
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not name or name.startswith("_"):
            continue
        annotation = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
        default, described = _value(node.value)
        below = body[number + 1] if number + 1 < len(body) else None
        yield Attribute(name, annotation, default, _text(below) or described)


def _name(target: ast.expr | None, owner: str) -> str:
    if not owner:
        return target.id if isinstance(target, ast.Name) else ""
    is_own = isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == owner
    return target.attr if is_own and isinstance(target, ast.Attribute) else ""


def _text(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return inspect.cleandoc(node.value.value)
    return ""


def _value(node: ast.expr | None) -> tuple[str, str]:
    """Returns a default, also that of a `field(default=...)`, and the description that such a call may hold."""
    if node is None:
        return "", ""
    if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] not in ("Field", "field", "attrib", "ib"):
        return _short(node), ""
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    description = next((given[name] for name in ("description", "doc", "help") if name in given), None)
    default = given.get("default", node.args[0] if node.args else None)
    text = description.value if isinstance(description, ast.Constant) and isinstance(description.value, str) else ""
    is_required = default is None or (isinstance(default, ast.Constant) and default.value is ...)
    return "" if is_required or default is None else _short(default), inspect.cleandoc(text)


def _short(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= MAX_VALUE and "\n" not in text else ""
