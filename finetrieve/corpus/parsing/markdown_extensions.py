"""What documentation writes beyond CommonMark, as rules of markdown-it: admonitions, tabs, containers, footnotes, definitions.

In place, in the order of the page: a footnote that nothing refers to is read like any other.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.reference import reference
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.footnote.index import footnote_def

INDENTED = re.compile(r"(?:!!!|\?\?\?\+?)[ \t]+(?:[\w \-|]*?)[ \t]*(?:\"(.*)\")?[ \t]*$|===[+!]*[ \t]+\"(.*)\"[ \t]*$")
CONTAINER = re.compile(
    r":{3,}[ \t]*(?:\{([\w:+-]+)\}[ \t]*(.*)|([\w+-]+)?[ \t]*(?:\[(.*)\]|([^{\n]*?))[ \t]*(?:\{([^{}]*)\})?[ \t]*)$"
)
QUOTED_TITLE = re.compile(r"\b(?:title|label|summary)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
TARGET = re.compile(r"\[[^\[\]]+\]:\s*<?(\S*)")
LIKE_ADDRESS = re.compile(r"[/#:?=]|^<|\.\w")
INTERRUPTS: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list", "footnote_def"]}
WHOLE_DIRECTIVES = {
    "list-table", "csv-table", "code-block", "code", "code-cell", "sourcecode", "figure", "image", "math", "mermaid", "eval-rst",
    "toctree", "literalinclude", "include", "table", "raw", "contents", "tableofcontents",
}  # fmt: skip
"""Directives whose content is not simply Markdown."""


def extend(parser: MarkdownIt) -> MarkdownIt:
    """Returns the parser with the extensions' rules."""
    ruler = parser.block.ruler
    ruler.before("fence", "indented_block", _indented_block, INTERRUPTS)
    ruler.before("fence", "container_line", _container_line, INTERRUPTS)
    ruler.before("reference", "footnote_def", footnote_def, {"alt": ["paragraph", "reference"]})
    ruler.at("reference", _reference)
    parser.use(deflist_plugin)
    return parser


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _indented_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`!!! note "Title"`, `??? note` and `=== "Tab"` of MkDocs, with what is indented below."""
    if state.is_code_block(start) or state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]][:1] not in "!?=":
        return False
    match = INDENTED.match(_line(state, start))
    if match is None:
        return False
    if silent:
        return True
    indent, line = state.sCount[start], start + 1
    last = line
    while line < end:
        if not state.isEmpty(line):
            if state.sCount[line] < indent + 2:
                break
            last = line + 1
        line += 1
    token = state.push("admonition_open", "div", 1)
    token.content, token.map = (match[1] or match[2] or "").strip(), [start, last]
    token.info = _line(state, start)
    old_parent, old_max, old_indent = state.parentType, state.lineMax, state.blkIndent
    inner = min((state.sCount[at] for at in range(start + 1, last) if not state.isEmpty(at)), default=indent + 4)
    state.parentType, state.lineMax, state.blkIndent = "admonition", last, min(inner, indent + 4)
    state.md.block.tokenize(state, start + 1, last)
    state.parentType, state.lineMax, state.blkIndent = old_parent, old_max, old_indent
    state.push("admonition_close", "div", -1)
    state.line = max(last, start + 1)
    return True


def _container_line(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`:::note Title`, `:::{note}`, `::: warning` and the `:::` that ends it: a line by itself, since many are never ended."""
    if state.is_code_block(start):
        return False
    text = _line(state, start)
    if not text.startswith(":::"):
        return False
    match = CONTAINER.match(text)
    if match is None:
        return False
    if silent:
        return True
    if match[1] and match[1].lower() in WHOLE_DIRECTIVES:
        return _whole_directive(state, start, end, text)
    quoted = QUOTED_TITLE.search(match[6] or "")
    title = match[2] or match[4] or match[5] or ((quoted[1] or quoted[2]) if quoted else "")
    line = start + 1
    while match[1] and line < end and re.match(r":[\w-]+:(?:\s|$)", _line(state, line)):
        line += 1
    token = state.push("container_line", "", 0)
    token.content, token.map = title.strip(), [start, line]
    token.info = "\n".join(_line(state, at) for at in range(start, line))
    state.line = line
    return True


def _whole_directive(state: StateBlock, start: int, end: int, text: str) -> bool:
    length = len(text) - len(text.lstrip(":"))
    line = start + 1
    closed = False
    while line < end and not closed:
        inside = _line(state, line)
        closed = inside.startswith(":" * length) and not inside.strip(": \t")
        line += 1
    token = state.push("fence", "code", 0)
    token.info, token.markup, token.map = text.lstrip(": \t"), ":" * length, [start, line]
    token.content = state.getLines(start + 1, line - 1 if closed else line, state.sCount[start], True)
    state.line = line
    return True


def _reference(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """`[name]: address`; words that are no address, as in `[NOTE]: Unplug it`, stay a paragraph."""
    at = state.bMarks[start] + state.tShift[start]
    if not state.src.startswith("[", at):
        return False
    match = TARGET.match(state.src, at)
    if match is None or not LIKE_ADDRESS.search(match[1]):
        return False
    if not reference(state, start, end, silent):
        return False
    if not silent:
        token = state.push("reference_line", "", 0)
        token.hidden = True
        token.info = "\n".join(_line(state, at) for at in range(start, state.line))
    return True
