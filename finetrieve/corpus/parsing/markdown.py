"""The block structure of a Markdown text, found by a CommonMark parser: code, headings, lists, tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

MAX_NESTING = 20
"""Blocks inside blocks deeper than this are taken as text: nothing crashes on a thousand `>`."""

CODE_DIRECTIVE = re.compile(
    r"\{(?:[\w-]+:)?(?:code[\w-]*|sourcecode|ipython|prompt|testcode|doctest|mermaid|graphviz|math|parsed-literal|eval-rst)\}"
)
"""Directives whose content is no Markdown."""


@dataclass(frozen=True, slots=True)
class Block:
    """A run of lines of the text: `lines[start:end]`."""

    kind: str
    """`heading`, `code`, `paragraph`, `list`, `item`, `quote`, `table`, `html` or `rule`."""
    start: int
    end: int
    level: int = 0
    """1 to 6 for a heading."""
    language: str = ""
    """Info string of a fence; code by indentation alone has none and `fenced` False."""
    fenced: bool = False
    children: tuple[Block, ...] = ()


KINDS = {
    "heading": "heading",
    "fence": "code",
    "code_block": "code",
    "paragraph": "paragraph",
    "bullet_list": "list",
    "ordered_list": "list",
    "list_item": "item",
    "blockquote": "quote",
    "table": "table",
    "html_block": "html",
    "hr": "rule",
}


def blocks(text: str) -> list[Block]:
    """Returns the blocks of `text`, Markdown with `\\n` line ends, in their order, each with what is nested in it."""
    return _blocks(SyntaxTreeNode(_parser().parse(text)).children)


def code_lines(text: str, indented_code: bool = True) -> list[bool]:
    """Returns for each line of `text` whether it belongs to code, fences included.

    Args:
        text: Markdown of a page, with whatever documentation writes beyond CommonMark.
        indented_code: Whether four spaces make code, which they do not in text that is only perhaps Markdown.
    """
    inside = [False] * (text.count("\n") + 1)
    if not indented_code and "```" not in text and "~~~" not in text:
        return inside
    for token in _page_parser(indented_code).parse(text):
        if token.type in ("fence", "code_block") and token.map is not None and not token.markup.startswith(":"):
            if token.info.lstrip().startswith("{") and not CODE_DIRECTIVE.match(token.info.lstrip()):
                continue  # A directive of MyST, whose content is Markdown.
            inside[token.map[0] : token.map[1]] = [True] * (token.map[1] - token.map[0])
    return inside


def fenced_lines(lines: list[str]) -> list[bool]:
    """Returns for each line of a clean page, whose code is all fenced, whether it belongs to code."""
    inside, fence = list[bool](), ""
    for line in lines:
        mark = line.lstrip("> ")[:3]
        if not fence and mark in ("```", "~~~"):
            fence = mark
            inside.append(True)
        else:
            inside.append(bool(fence))
            if fence and line.strip().startswith(fence) and not line.strip().strip("`~"):
                fence = ""
    return inside


def fence_indented_code(text: str) -> str:
    """Returns the text with code by indentation fenced where it stands: tags may later move what is around it."""
    if "    " not in text and "\t" not in text:
        return text
    lines = text.split("\n")
    for token in reversed(_page_parser(True).parse(text)):
        if token.type != "code_block" or token.map is None:
            continue
        start, end = token.map
        while end > start and not lines[end - 1].strip():
            end -= 1
        indent = re.match(r"[ \t]*", lines[start])
        first = token.content.split("\n", 1)[0]
        if indent is None or lines[start][indent.end() :] != first.lstrip():
            continue  # In a quote, where each line has a mark of its own.
        place = lines[start].expandtabs(4)
        prefix = " " * max(len(place) - len(place.lstrip()) - 4 - (len(first) - len(first.lstrip())), 0)
        lines[start:end] = [f"{prefix}{line}" if line else "" for line in fence_code(token.content.strip("\n")).split("\n")]
    return "\n".join(lines)


def table_of(rows: Sequence[Sequence[str]]) -> str:
    """Returns rows of cells as a table, the first as its header; short rows are filled up with empty cells."""
    width = max(map(len, rows))
    lines = [f"| {' | '.join([*row, *[''] * (width - len(row))])} |" for row in rows]
    return "\n".join([lines[0], f"|{' --- |' * width}", *lines[1:]])


def fence_code(code: str, language: str = "", fence: str = "") -> str:
    """Returns `code` as a fenced block, with a fence longer than any inside it where none is given."""
    longest = max((len(run) for run in re.findall(r"^\s*(`{3,})", code, re.MULTILINE)), default=2)
    fence = fence or "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


@lru_cache(maxsize=2)
def _page_parser(indented_code: bool) -> MarkdownIt:
    from finetrieve.corpus.parsing.markdown_extensions import extend

    parser = extend(MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable("table"))
    parser.core.ruler.enableOnly(["normalize", "block"])
    if not indented_code:
        parser.disable(["code", "html_block"])
    return parser


def _blocks(nodes: list[SyntaxTreeNode]) -> list[Block]:
    found = []
    for node in nodes:
        kind = KINDS.get(node.type)
        if kind is None or node.map is None:
            continue
        start, end = node.map
        level = int(node.tag[1]) if kind == "heading" else 0
        children = tuple(_blocks(node.children)) if kind in ("list", "item", "quote") else ()
        found.append(Block(kind, start, end, level, node.info.strip() if kind == "code" else "", node.type == "fence", children))
    return found
