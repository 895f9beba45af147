"""reStructuredText as HTML, with Sphinx's roles and directives understood well enough that no words are lost."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.core import publish_parts
from docutils.parsers.rst import Directive, directives, roles
from docutils.parsers.rst.languages import en as english

DROPPED = {
    "toctree",
    "contents",
    "index",
    "include",
    "literalinclude",
    "raw",
    "image",
    "figure",
    "highlight",
    "currentmodule",
    "module",
    "only",
    "automodule",
    "autosummary",
    "autoclass",
    "autofunction",
    "automethod",
    "autoattribute",
    "autodata",
    "autoexception",
    "versionadded",
    "versionchanged",
    "tabularcolumns",
    "sectionauthor",
    "codeauthor",
    "meta",
    "default-role",
    "role",
    "csv-table",
    "graphviz",
    "mermaid",
    "plot",
    "raw-html",
    "minigallery",
    "bibliography",
    "date",
    "title",
    "youtube",
    "video",
}
"""Directives whose content is made by Sphinx, comes from another file or is no text."""
CODE = {
    "code-block",
    "code",
    "sourcecode",
    "ipython",
    "prompt",
    "testcode",
    "testsetup",
    "doctest",
    "highlight-block",
    "parsed-literal",
}
HEADED = {
    "rubric",
    "admonition",
    "topic",
    "sidebar",
    "dropdown",
    "tab-item",
    "tab",
    "collapse",
    "details",
    "card",
    "grid-item-card",
}
"""Directives whose argument is a heading for what is in them."""
STRUCTURED = {
    "table",
    "list-table",
    "math",
    "replace",
    "unicode",
    "line-block",
    "epigraph",
    "highlights",
    "pull-quote",
    "compound",
    "container",
}
"""Directives that docutils does well by itself."""
PLAIN_ROLES = {"ref", "doc", "term", "numref", "any", "abbr", "guilabel", "menuselection", "pep", "rfc", "download", "dfn"}
"""Roles whose words are no code."""
DOCUTILS_ROLES = {
    "emphasis",
    "strong",
    "literal",
    "code",
    "math",
    "sub",
    "subscript",
    "sup",
    "superscript",
    "title",
    "title-reference",
    "t",
}
DIRECTIVE_NAME = re.compile(r"^\s*\.\. (?:\|[^|\n]+\| )?(?:(?:py|c|cpp|js|rst|std):)?([\w:+-]+)::", re.MULTILINE)
TARGET = re.compile(r"^(.*?)\s*<[^<>]*>$", re.DOTALL)
SETTINGS: dict[str, Any] = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 5,
    "warning_stream": False,
    "_disable_config": True,
    "syntax_highlight": "none",
    "input_encoding": "unicode",
    "output_encoding": "unicode",
    "embed_stylesheet": False,
    "stylesheet_path": None,
    "smart_quotes": False,
    "initial_header_level": 1,
    "doctitle_xform": False,
    "sectsubtitle_xform": False,
    "line_length_limit": 100_000,
    "math_output": "LaTeX",
    "dump_settings": None,
    "tab_width": 4,
}


def restructuredtext_to_html(text: str) -> str:
    """Returns the HTML body of a reStructuredText page; nothing is included from files and no raw HTML passes.

    Raises:
        ValueError: docutils cannot read the page.
    """
    _register(text)
    text = re.sub(r"^(\s*)\.\. (py|c|cpp|js|rst|std):([\w-]+)::", r"\1.. \3::", text, flags=re.MULTILINE)
    parts = publish_parts(text, writer="html5", settings_overrides=SETTINGS)
    body = re.sub(r"<aside class=\"system-message.*?</aside>", "", parts["body"], flags=re.DOTALL)
    return f"<html><body>{body}</body></html>"


class _Dropped(Directive):
    """A directive with nothing to say."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        return []


class _Code(Directive):
    """A code block, with whatever options Sphinx gives it."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec = None

    def run(self) -> list[nodes.Node]:
        lines = list(self.content)
        if self.arguments and "\n" in self.arguments[0]:
            self.arguments = self.arguments[0].split("\n")[:1]
        while lines and re.match(r"^:[\w-]+:", lines[0]):
            lines.pop(0)
        code = "\n".join(lines).strip("\n")
        language = self.arguments[0].split()[0] if self.arguments and self.arguments[0].split() else ""
        classes = ["code", language] if language and language not in ("none", "text", "default") else ["code"]
        return [nodes.literal_block(code, code, classes=classes)] if code else []


class _Words(Directive):
    """Any other directive: its argument and what is in it, as text."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        inside = list(self.content)
        dropped = 0
        while dropped < len(inside) and re.match(r"^:[\w-]+:", inside[dropped]):
            dropped += 1
        content = self.content[dropped:]
        found: list[nodes.Node] = []
        lines = " ".join(self.arguments).split("\n")
        argument = " ".join(" ".join(line for line in lines if not re.match(r"^\s*:[\w-]+:", line)).split())
        if argument:
            found.append(self._argument(argument))
        container = nodes.container()
        self.state.nested_parse(content, self.content_offset + dropped, container)
        return [*found, *container.children]

    def _argument(self, argument: str) -> nodes.Node:
        if self.name in HEADED:
            return nodes.paragraph("", "", nodes.strong(argument, argument))
        if "(" in argument or re.fullmatch(r"[\w.]+", argument):
            return nodes.paragraph("", "", nodes.literal(argument, argument))
        parsed, _ = self.state.inline_text(argument, self.lineno)
        return nodes.paragraph("", "", *parsed)


def _role(
    name: str,
    _rawtext: str,
    text: str,
    _lineno: int,
    _inliner: Any,
    _options: Any = None,
    _content: Any = None,
) -> tuple[list[Any], list[Any]]:
    """Returns the words of a role without its target; names of code stay code."""
    text = text.replace("\x00", "")
    match = TARGET.match(text)
    words = (match[1] if match and match[1] else text).lstrip("!")
    if words.startswith("~"):
        words = words[1:].rsplit(".", 1)[-1]
    if name.lower().split(":")[-1] in PLAIN_ROLES:
        words = words.replace("-->", ">")
        return [nodes.inline(words, words)], []
    return [nodes.literal(words, words)], []


def _register(text: str) -> None:
    """Makes every directive and role of a page known to docutils, whose registry is one for the process."""
    for name in {name.lower() for name in DIRECTIVE_NAME.findall(text)} - STRUCTURED:
        kind = _Dropped if name in DROPPED else _Code if name in CODE else _Words
        directives.register_directive(english.directives.get(name, name), kind)
        directives.register_directive(name, kind)
    for name in set(re.findall(r":((?:[\w-]+:)*[\w-]+):`", text)) - DOCUTILS_ROLES:
        roles.register_local_role(name.lower(), _role)
