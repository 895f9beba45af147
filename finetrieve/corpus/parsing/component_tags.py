"""Tags in Markdown pages, of HTML, JSX, Hugo, GitBook and Liquid, with the words that their attributes carry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_TAG = 20_000
"""Characters; what is longer before it ends is no tag."""
NAME = re.compile(r"</?([A-Za-z][\w.:-]*)?")
ATTRIBUTE = re.compile(r"[^\s\"'<>/={}\]]+")
SPACES = re.compile(r"\s*")
BARE_VALUE = re.compile(r"[^\s\"'<>`{}]+")
STRING = re.compile(r"\"((?:[^\"\\]|\\.)*+)\"|'((?:[^'\\]|\\.)*+)'|`((?:[^`\\]|\\.)*+)`")
TITLES = ("title", "label", "header", "heading", "summary", "name", "term", "question", "tab", "path", "query", "body", "param")
"""Attributes that say what a component is about, the most telling first."""
PROSE = (
    "description", "text", "caption", "alt", "tip", "content", "children", "subtitle", "answer", "message", "tooltip",
    "definition",
    "deprecated", "note", "placeholder", "footer", "excerpt", "body", "cta", "legend",
)  # fmt: skip
CODE = ("command", "code", "cmd", "snippet", "example", "usage", "shell")
FACTS = {"required", "deprecated", "optional", "nullable", "readonly", "experimental"}
"""Attributes that say something by being there."""
SETTINGS = frozenset([
    "class", "classname", "id", "style", "href", "src", "url", "link", "to", "target", "rel", "width", "height", "color",
    "colour", "icon", "icontype", "size", "align", "variant", "theme", "ref", "key", "cols", "columns", "loading",
    "background", "bg", "image", "img", "layout", "anchor", "slug", "sidebar", "lang", "language", "locale", "lineno",
    "linenos", "linenumbers", "linestart", "wrap", "fullwidth", "full-width", "overflow", "open", "defaultopen",
    "defaultvalue", "groupid", "querystring", "mdxtype", "srcset", "sizes", "referrerpolicy", "decoding", "frameborder",
    "allow", "allowfullscreen", "valign", "border", "cellpadding", "cellspacing", "colspan", "rowspan", "start",
    "reversed", "method-color", "svg", "role", "tabindex", "view", "data-view", "hidden", "data", "pagekey", "file",
    "filename-class", "animate", "horizontal",
])  # fmt: skip
"""Attributes that say how something looks or where it is."""
LOOKS = frozenset([
    "info", "warning", "note", "tip", "danger", "caution", "success", "error", "important", "default", "primary",
    "secondary", "true", "false",
])  # fmt: skip
FILE = re.compile(r"^[\w./@#~:%?=&+-]*(?:/|\.(?:mdx?|html?|png|jpe?g|svg|gif|webp|ya?ml|json|txt|mp4)\b)[\w./@#~:%?=&+-]*$")


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag as it stands in a text."""

    name: str
    """Empty for the fragment `<>`."""
    closing: bool
    self_closing: bool
    attributes: tuple[tuple[str, str], ...]
    """Names and values; positional values have no name, flags the value `true`."""
    end: int
    """Where the text goes on."""


def read_tag(text: str, start: int) -> Tag | None:
    """Returns the HTML or JSX tag that begins at `text[start] == "<"`, or None where there is none."""
    match = NAME.match(text, start)
    if match is None:
        return None
    name = match[1] or ""
    at, limit = match.end(), min(len(text), start + MAX_TAG)
    attributes: list[tuple[str, str]] = []
    closing = text.startswith("</", start)
    while at < limit:
        spaced = SPACES.match(text, at)
        after = spaced.end() if spaced else at
        if text.startswith("/>", after):
            return Tag(name, closing, True, tuple(attributes), after + 2)
        if text.startswith(">", after):
            return Tag(name, closing, False, tuple(attributes), after + 1)
        if after == at or closing or not name:
            return None
        if text.startswith("{", after):  # {...props}
            end = _close_brace(text, after, limit)
            if end is None:
                return None
            at = end
            continue
        found = _read_attribute(text, after, limit)
        if found is None:
            return None
        attributes.append(found[0])
        at = found[1]
    return None


def read_template_tag(inside: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Returns name and attributes of what stands in `{% ... %}`, `{{< ... >}}` or `{{% ... %}}`."""
    match = re.match(r"\s*-?\s*(/?\s*[\w./-]+)", inside)
    name, at = (match[1].replace(" ", ""), match.end()) if match else ("", 0)
    attributes: list[tuple[str, str]] = []
    while at < len(inside):
        spaced = SPACES.match(inside, at)
        at = spaced.end() if spaced else at
        if at >= len(inside):
            break
        string = STRING.match(inside, at)
        if string:
            attributes.append(("", next(group for group in string.groups() if group is not None)))
            at = string.end()
            continue
        found = _read_attribute(inside, at, len(inside))
        if found is None:
            at += 1
            continue
        (key, value), at = found
        attributes.append((key, value))
    return name, tuple(attributes)


@dataclass(frozen=True, slots=True)
class Words:
    """What the attributes of a component say."""

    title: str
    facts: tuple[str, ...]
    prose: tuple[str, ...]
    code: tuple[str, ...]
    dropped: tuple[str, ...]


def attribute_words(attributes: tuple[tuple[str, str], ...], positional: bool = True) -> Words:
    """Returns the words that a component's attributes carry: its title, facts such as a default, prose and commands."""
    title, facts, prose, code, dropped = "", list[str](), list[str](), list[str](), list[str]()
    given = {key.lower() for key, _ in attributes}
    order = {name: rank for rank, name in enumerate(TITLES)}
    for key, value in sorted(attributes, key=lambda item: order.get(item[0].lower(), len(order))):
        name, words = key.lower().lstrip(":@"), _value_words(value)
        unnamed_value = name == "value" and given & {"label", "title", "name"}
        if (
            (
                name in SETTINGS
                or name.startswith(("data-", "on", "aria-d", "aria-h", "aria-e", "aria-c", "set:", "client:"))
                or unnamed_value
            )
            or not re.search(r"\w", words)
            or (name not in (*TITLES, *PROSE, *CODE) and FILE.match(words))
        ):
            dropped.append(f"{key} {value}")
        elif not name:
            if positional and not title and (" " in words or not FILE.match(words)):
                title = words
            else:
                (prose if " " in words else dropped).append(words)
        elif (name in TITLES or name in ("value", "aria-label")) and not title:
            title = words
            dropped.append(key)
        elif name in CODE:
            code.append(words)
            dropped.append(key)
        elif name in PROSE or (" " in words and name not in ("type", "default")):
            prose.append(words)
            dropped.append(key)
        elif value == "true":
            (facts if name in FACTS else dropped).append(key)
        elif name in ("type", "style", "kind", "level", "status") and words.lower() in LOOKS:
            dropped.append(f"{key} {value}")
        else:
            facts.append(f"{key}: {words}")
    return Words(title, tuple(facts), tuple(prose), tuple(code), tuple(dropped))


def _read_attribute(text: str, start: int, limit: int) -> tuple[tuple[str, str], int] | None:
    match = ATTRIBUTE.match(text, start, limit)
    if match is None:
        return None
    name, at = match[0], match.end()
    spaced = SPACES.match(text, at)
    after = spaced.end() if spaced else at
    if not text.startswith("=", after):
        return (name, "true"), at
    spaced = SPACES.match(text, after + 1)
    at = spaced.end() if spaced else after + 1
    if at >= limit:
        return None
    if text[at] == "{":
        end = _close_brace(text, at, limit)
        return None if end is None else ((name, text[at:end]), end)
    if text[at] in "\"'":
        end = text.find(text[at], at + 1, limit)
        return None if end < 0 else ((name, text[at + 1 : end]), end + 1)
    bare = BARE_VALUE.match(text, at, limit)
    if bare is None:
        return None
    value = bare[0].removesuffix("/") if text.startswith(">", bare.end()) else bare[0]
    return (name, value), at + len(value)


def _close_brace(text: str, start: int, limit: int) -> int | None:
    """Returns where the braces that open at `start` are closed again; those in strings do not count."""
    depth, at = 0, start
    while at < limit:
        character = text[at]
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if not depth:
                return at + 1
        elif character in '"`' or (character == "'" and not text[at - 1].isalnum()):
            string = STRING.match(text, at, limit)
            if string:
                at = string.end()
                continue
        at += 1
    return None


def _value_words(value: str) -> str:
    """Returns the words of an attribute's value: the strings of a JavaScript expression, the text of JSX in it."""
    if not value.startswith("{"):
        return " ".join(value.split())
    inside = value[1:-1].strip()
    if "<" in inside and not inside.startswith(("[", "{", '"', "'", "`")):
        return " ".join(_jsx_text(inside).split())
    strings = [next(group for group in match.groups() if group is not None) for match in STRING.finditer(inside)]
    if strings:
        return ", ".join(dict.fromkeys(" ".join(string.split()) for string in strings))
    return inside if re.fullmatch(r"[\w.+-]+", inside) else ""


def _jsx_text(inside: str) -> str:
    return "".join(_jsx_pieces(inside))


def _jsx_pieces(inside: str) -> Iterator[str]:
    at = 0
    while (start := inside.find("<", at)) >= 0:
        yield inside[at:start]
        tag = read_tag(inside, start)
        if tag is None:
            yield "<"
            at = start + 1
            continue
        if re.fullmatch(r"(?:Inline)?[Cc]ode", tag.name):
            yield "`"
        at = tag.end
    yield inside[at:]
