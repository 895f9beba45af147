"""The block structure of a Markdown text, found by a CommonMark parser: code, headings, lists, tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

MAX_NESTING = 20
"""Blocks inside blocks deeper than this are taken as text: nothing crashes on a thousand `>`."""


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


def blocks(text: str, indented_code: bool = True) -> list[Block]:
    """Returns the blocks of `text` in their order, each with what is nested in it.

    Args:
        text: Markdown with `\\n` line ends.
        indented_code: Whether four spaces make code, which they do not in text that is only perhaps Markdown.
    """
    tokens = _parser(indented_code).parse(text)
    return _blocks(SyntaxTreeNode(tokens).children)


def code_lines(text: str, indented_code: bool = True) -> list[bool]:
    """Returns for each line of `text` whether it belongs to code, fences included."""
    inside = [False] * (text.count("\n") + 1)

    def mark(found: list[Block] | tuple[Block, ...]) -> None:
        for block in found:
            if block.kind == "code":
                inside[block.start : block.end] = [True] * (block.end - block.start)
            mark(block.children)

    mark(blocks(text, indented_code))
    return inside


def fence_code(code: str, language: str = "") -> str:
    """Returns `code` as a fenced block, with a fence longer than any inside it."""
    longest = max((len(run) for run in re.findall(r"^\s*(`{3,})", code, re.MULTILINE)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"


@lru_cache(maxsize=2)
def _parser(indented_code: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    if not indented_code:
        parser.disable("code")
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
