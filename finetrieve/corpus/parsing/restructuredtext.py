"""reStructuredText as HTML, with Sphinx's roles and directives understood well enough that no words are lost."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.core import publish_parts
from docutils.parsers.rst import Directive, directives, roles
from docutils.parsers.rst.languages import en as english
from docutils.statemachine import StringList

from finetrieve.corpus.parsing.prose import says_something
from finetrieve.corpus.parsing.removal import COMMENTS, MARKS, TARGETS, Removals

FROM_ELSEWHERE = {
    "toctree", "contents", "index", "include", "literalinclude", "raw", "highlight", "currentmodule", "module", "tabularcolumns",
    "sectionauthor", "codeauthor", "meta", "default-role", "role", "raw-html", "bibliography", "date", "title", "youtube",
    "video",
    "minigallery", "sectnum", "target-notes", "class", "cssclass", "rst-class",
}  # fmt: skip
"""Directives whose content is made by Sphinx, comes from another file or is no text."""
CODE = {
    "code-block", "code", "sourcecode", "ipython", "prompt", "testcode", "testsetup", "testoutput", "doctest", "highlight-block",
    "parsed-literal", "graphviz", "mermaid", "plot", "productionlist", "command-output", "jupyter-execute", "tikz", "uml",
}  # fmt: skip
HEADED = {
    "rubric", "admonition", "topic", "sidebar", "dropdown", "tab-item", "tab", "collapse", "details", "card", "grid-item-card",
    "group-tab", "code-tab", "md-tab-item", "tab-set-code",
}  # fmt: skip
"""Directives whose argument is a heading for what is in them."""
CHANGES = {
    "versionadded": "Added in version", "versionchanged": "Changed in version", "deprecated": "Deprecated since version",
    "versionremoved": "Removed in version", "version-added": "Added in version", "version-changed": "Changed in version",
}  # fmt: skip
STRUCTURED = {
    "table", "list-table", "csv-table", "math", "replace", "unicode", "line-block", "epigraph", "highlights", "pull-quote",
    "compound",
    "container",
}  # fmt: skip
"""Directives that docutils does well by itself."""
PICTURES = {"figure", "image", "thumbnail", "carousel"}
CONDITIONS = {"only", "ifconfig", "tabs", "tab-set", "grid", "hlist", "seealso"}
"""Directives whose argument is no text, while what is in them is."""
WORDED_OPTIONS = re.compile(
    r"^:(?:caption|alt|title|subtitle|summary|synopsis|header|name-title|legend|default|type|deprecated):\s+(.+)$"
)
PLAIN_ROLES = {
    "ref", "doc", "term", "numref", "any", "abbr", "guilabel", "menuselection", "pep", "rfc", "download", "dfn", "index",
    "eq",
}  # fmt: skip
"""Roles whose words are no code."""
DOCUTILS_ROLES = {
    "emphasis", "strong", "literal", "code", "math", "sub", "subscript", "sup", "superscript", "title", "title-reference", "t",
}  # fmt: skip
DOMAINS = "py|c|cpp|js|rst|std|http|go|rb|ruby|php|java|jl|sh|bash|config|option|envvar|yaml|rust|rs|ts|cs|dotnet|sphinxcontrib"
DIRECTIVE_NAME = re.compile(rf"^\s*\.\. (?:\|[^|\n]+\| )?(?:(?:{DOMAINS}):)?([\w:+.-]+)::", re.MULTILINE)
DOMAIN_DIRECTIVE = re.compile(rf"^(\s*)\.\. (?:{DOMAINS}):([\w-]+)::", re.MULTILINE)
RAW_SUBSTITUTION = re.compile(r"^\.\. \|([^|\n]+)\| raw::", re.MULTILINE)
ROLE_NAME = re.compile(r":((?:[\w-]+:)*[\w-]+):`")
TARGET = re.compile(r"^(.*?)\s*<[^<>]*>$", re.DOTALL)
MARKS_OF_FORMAT = re.compile(
    r"^[ \t]*\.\. (?:\|[^|\n]+\| )?([\w:+.-]+)::|^[ \t]*:([\w-]+):(?=\s|$)|:((?:[\w-]+:)*[\w-]+):`|\.\. \|([^|\n]+)\|",
    re.MULTILINE,
)
TARGETS_OF_LINKS = re.compile(r"<([^<>`\n]+)>`|^[ \t]*\.\. _([^\n]+)$|^__ (\S+)$", re.MULTILINE)
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
    "footnote_references": "brackets",
    "toc_backlinks": False,
}


SUBSTITUTION = re.compile(r"^\s*\.\. \|([^|\n]+)\| \w+::", re.MULTILINE)
"""Names that stand for other words."""


def restructuredtext_to_html(text: str, removals: Removals | None = None) -> str:
    """Returns the HTML body of a reStructuredText page; nothing is included from files and no raw HTML passes.

    Raises:
        ValueError: docutils cannot read the page.
    """
    removals = removals or Removals()
    for reason, pattern in ((MARKS, MARKS_OF_FORMAT), (TARGETS, TARGETS_OF_LINKS)):
        for found in pattern.findall(text):
            removals.add(reason, " ".join(found))
    for name in SUBSTITUTION.findall(text):
        removals.add(MARKS, f"{name} " * text.count(f"|{name}|"))
    _register(text)
    text = DOMAIN_DIRECTIVE.sub(r"\1.. \2::", text)
    for name in RAW_SUBSTITUTION.findall(text):  # Such as a line break in HTML, which has no words.
        text = re.sub(rf"(?<!\.\. )\|{re.escape(name)}\|_?", "", text)
    parts = publish_parts(text, writer="html5", settings_overrides={**SETTINGS, "removals": removals})
    for comment in re.findall(r"<!--(.*?)-->", parts["body"], re.DOTALL):
        removals.add(COMMENTS, comment)
    body = re.sub(r"<aside class=\"system-message.*?</aside>", "", parts["body"], flags=re.DOTALL)
    return f"<html><body>{body}</body></html>"


class _Dropped(Directive):
    """A directive with nothing to say."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        self._removed(f"{' '.join(self.arguments)} {self.block_text}")
        return []

    def _removed(self, text: str) -> None:
        self.state.document.settings.removals.add(MARKS, text)

    def _split(self) -> tuple[str, list[str], StringList, int]:
        """Returns the argument, the options' words, what is in the directive, and on which of its lines that begins."""
        lines = " ".join(self.arguments).split("\n")
        argument = " ".join(" ".join(line for line in lines if not re.match(r"^\s*:[\w-]+:(?:\s|$)", line)).split())
        options = [line.strip() for line in lines if re.match(r"^\s*:[\w-]+:(?:\s|$)", line)]
        inside = list(self.content)
        at = 0
        while at < len(inside) and (
            re.match(r"^:[\w-]+:(?:\s|$)", inside[at]) or (at and options and inside[at].startswith("  "))
        ):
            if self.name in FIELDS and re.match(FIELDS[self.name], inside[at]):
                break
            options.append(inside[at])
            at += 1
        said = [match[1] for option in options if (match := WORDED_OPTIONS.match(option))]
        self._removed(" ".join(option for option in options if not WORDED_OPTIONS.match(option)))
        return argument, said, self.content[at:], at

    def _inside(self, content: StringList, skipped: int) -> list[nodes.Node]:
        container = nodes.container()
        self.state.nested_parse(content, self.content_offset + skipped, container)
        return list(container.children)


class _Code(_Dropped):
    """A code block, with whatever options Sphinx gives it."""

    option_spec = None

    def run(self) -> list[nodes.Node]:
        argument, said, content, _ = self._split()
        code = "\n".join(content).strip("\n")
        words = argument.split()
        language = words[0] if words else ""
        self._removed(argument)
        if self.name == "productionlist" and not code:
            code = " ".join(self.arguments)
        classes = ["code", language] if language and language not in ("none", "text", "default") else ["code"]
        caption = [nodes.paragraph("", "", nodes.strong(words, words)) for words in said]
        return [*caption, nodes.literal_block(code, code, classes=classes)] if code else list(caption)


class _Words(_Dropped):
    """Any other directive: its argument and what is in it, as text."""

    def run(self) -> list[nodes.Node]:
        argument, said, content, skipped = self._split()
        found: list[nodes.Node] = []
        if self.name in CONDITIONS:
            if self.name == "seealso" and argument:
                found.append(self._line(argument))
            else:
                self._removed(argument)
        elif argument:
            found.append(self._argument(argument))
        found += [self._line(words) for words in said]
        return [*found, *self._inside(content, skipped)]

    def _argument(self, argument: str) -> nodes.Node:
        if self.name in HEADED:
            return nodes.paragraph("", "", nodes.strong(argument, argument))
        if "(" in argument or re.fullmatch(r"[\w.]+|-.*", argument):
            return nodes.paragraph("", "", nodes.literal(argument, argument))
        return self._line(argument)

    def _line(self, text: str) -> nodes.Node:
        parsed, _ = self.state.inline_text(text, self.lineno)
        return nodes.paragraph("", "", *parsed)


class _Change(_Words):
    """What was added, changed or deprecated in which version."""

    def run(self) -> list[nodes.Node]:
        argument, _, content, skipped = self._split()
        version, _, rest = argument.partition(" ")
        lead = f"{CHANGES[self.name]} {version}"
        first = nodes.paragraph("", "", nodes.inline(lead, f"{lead}: " if rest or len(content) else lead))
        if rest:
            first += self.state.inline_text(rest, self.lineno)[0]
            return [first, *self._inside(content, skipped)]
        inside = self._inside(content, skipped)
        if inside and isinstance(inside[0], nodes.paragraph):
            first += inside[0].children
            inside = inside[1:]
        return [first, *inside]


class _Picture(_Words):
    """A picture: what is said in its place, its caption and its legend."""

    def run(self) -> list[nodes.Node]:
        argument, said, content, skipped = self._split()
        self._removed(argument)
        kept = [words for words in said if says_something(words, argument)]
        self._removed(" ".join(words for words in said if words not in kept))
        if isinstance(self.state, _substitution_state()):
            return [nodes.inline(words, words) for words in kept] or [nodes.inline("", "")]
        return [*(self._line(words) for words in kept), *self._inside(content, skipped)]


class _Automatic(_Words):
    """A directive of autodoc: the object's name, and the text below, which is written by hand."""

    def _argument(self, argument: str) -> nodes.Node:
        return nodes.paragraph("", "", nodes.literal(argument, argument))


FIELDS = dict.fromkeys(
    ("function", "method", "class", "exception", "data", "attribute", "property", "classmethod", "staticmethod", "decorator",
    "describe",     "object", "autofunction", "automethod", "autoclass"),
    r"^:(?:param|parameter|arg|argument|key|keyword|type|raises?|except|exception|returns?|rtype|yields?|[ic]?var|vartype)\b",
)  # fmt: skip
"""Directives of objects, and the field lists in them that are no options."""


def _substitution_state() -> Any:
    from docutils.parsers.rst.states import SubstitutionDef

    return SubstitutionDef


def _role(
    name: str,
    _rawtext: str,
    text: str,
    _lineno: int,
    inliner: Any,
    _options: Any = None,
    _content: Any = None,
) -> tuple[list[Any], list[Any]]:
    """Returns the words of a role without its target; names of code stay code."""
    text = text.replace("\x00", "")
    match = TARGET.match(text)
    words = (match[1] if match and match[1] else text).lstrip("!")
    if words.startswith("~"):
        inliner.document.settings.removals.add(TARGETS, words)
        words = words[1:].rsplit(".", 1)[-1]
    if name.lower().split(":")[-1] in PLAIN_ROLES:
        words = words.replace("-->", ">")
        return [nodes.inline(words, words)], []
    return [nodes.literal(words, words)], []


def _register(text: str) -> None:
    """Makes every directive and role of a page known to docutils, whose registry is one for the process."""
    for name in {name.lower() for name in DIRECTIVE_NAME.findall(text)} - STRUCTURED:
        kind = _kind(name)
        directives.register_directive(english.directives.get(name, name), kind)
        directives.register_directive(name, kind)
    for name in set(ROLE_NAME.findall(text)) - DOCUTILS_ROLES:
        roles.register_local_role(name.lower(), _role)


def _kind(name: str) -> type[Directive]:
    if name in FROM_ELSEWHERE:
        return _Dropped
    if name in CODE:
        return _Code
    if name in CHANGES:
        return _Change
    if name in PICTURES:
        return _Picture
    return _Automatic if name.startswith("auto") else _Words
