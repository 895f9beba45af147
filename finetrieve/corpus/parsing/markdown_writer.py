"""Parsed Markdown written down again as the plain Markdown that is cut into chunks: words stay, marks of the format go."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from finetrieve.corpus.parsing.markdown import fence_code, table_of
from finetrieve.corpus.parsing.markdown_extensions import extend
from finetrieve.corpus.parsing.markdown_inline import InlineWriter
from finetrieve.corpus.parsing.myst import directive_to_markdown
from finetrieve.corpus.parsing.prose import plain_words
from finetrieve.corpus.parsing.removal import CHROME, CODE_OF_SITE, MARKS, PAGE_LINKS, TARGETS, Removals

MAX_NESTING = 60
"""Blocks inside blocks; what is nested deeper is read as plain lines."""
IMPORT = re.compile(r"import\s+(?:[\w*{$][^;'\"]*?\s+from\s+)?['\"][^'\"\n]+['\"];?[ \t]*(?:\n|$)")
EXPORT = re.compile(r"export\s+(?:default|const|let|var|function|async|class|\{|\*)[^\n]*[=({*]")
SNIPPET = re.compile(r"-{1,}8<-{1,}.*|;-{1,}8<.*")
TOC_MARK = re.compile(r"\[toc\]|\[\[_?toc_?\]\]|\{:\s*toc\s*\}|\$\{toc\}|<!-- toc -->", re.IGNORECASE)
MYST_TARGET = re.compile(r"\([\w:./ +-]+\)=")
SEPARATED_LINKS = re.compile(r"(?:\s*(?:>|»|›|/|\||→|·|•|::)\s*)+(?:[\w ]{0,60})")
FENCE_TITLE = re.compile(
    r"\b(?:title|filename|file|name|caption)\s*[=:]\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'{}]+))|^\S+\s+([\w./-]+\.\w+)\s*$"
)


@dataclass(slots=True)
class MarkdownWriter:
    """Writes one page, or a directive within one."""

    removals: Removals
    unwrap: bool = True
    """Whether the lines of a paragraph become one."""
    depth: int = 0
    links: set[str] = field(default_factory=set)
    """Lines that are links and nothing else."""
    n_links: int = 0
    words_in_links: int = 0
    words_beside: int = 0
    _tokens: list[Token] = field(default_factory=list)
    _at: int = 0

    def write(self, text: str) -> list[str]:
        """Returns the blocks of a text."""
        outer = self._tokens, self._at
        self._tokens, self._at = markdown_parser().parse(text, {}), 0
        blocks = self._blocks(None)
        self._tokens, self._at = outer
        return blocks

    @property
    def mostly_links(self) -> bool:
        """Whether hardly a word stands outside of links: a table of contents."""
        return self.n_links >= 8 and self.words_beside < 0.15 * self.words_in_links

    # 1. Blocks.

    def _blocks(self, closing: str | None) -> list[str]:
        found: list[str] = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.type == closing:
                break
            if token.type in ("bullet_list_open", "ordered_list_open") and self._links_within_page():
                if found and (found[-1].startswith("#") or re.fullmatch(r"\*\*[^*\n]+\*\*", found[-1])) and self._ends_section():
                    self.removals.add(PAGE_LINKS, found.pop())
                continue
            found += [block for block in self._block(token) if block]
        return found

    def _block(self, token: Token) -> list[str]:
        kind = token.type
        if kind == "heading_open":
            return [self._heading(token)]
        if kind == "paragraph_open":
            return self._paragraph()
        if kind == "bullet_list_open" or kind == "ordered_list_open":
            return [self._list(token)]
        if kind == "blockquote_open":
            inner = "\n\n".join(self._blocks("blockquote_close"))
            return ["\n".join(f"> {line}".rstrip() for line in inner.split("\n"))] if inner else []
        if kind in ("fence", "code_block"):
            return self._code(token)
        if kind == "table_open":
            return [self._table()]
        if kind == "hr":
            return ["---"]
        if kind == "dl_open":
            return self._definitions()
        if kind == "footnote_reference_open":
            return self._footnote(token)
        if kind in ("admonition_open", "container_line"):
            self.removals.add(MARKS, token.info)
            title = [self._bold(token.content)] if token.content else []
            return title + (self._blocks("admonition_close") if kind == "admonition_open" else [])
        if kind == "reference_line":
            self.removals.add(TARGETS, token.info)
        elif token.nesting == 1:
            return self._blocks(kind.replace("_open", "_close"))
        return []

    def _heading(self, token: Token) -> str:
        words = self._inline(self._take("heading_close"), heading=True)
        return f"{token.tag[1:] and '#' * int(token.tag[1])} {words}" if words else ""

    def _paragraph(self) -> list[str]:
        inline = self._take("paragraph_close")
        content = inline.content
        if content.startswith(("import ", "export ", "import{", "import'")):
            rest = _without_modules(content)
            if rest != content:
                self.removals.add(CODE_OF_SITE, content[: len(content) - len(rest)])
                return self._again(rest)
        if SNIPPET.fullmatch(content) or TOC_MARK.fullmatch(content) or MYST_TARGET.fullmatch(content):
            self.removals.add(MARKS, content)
            return []
        written = self._inline(inline)
        return [written]

    def _again(self, text: str) -> list[str]:
        if not text.strip() or self.depth > 8:
            return []
        inner = MarkdownWriter(self.removals, self.unwrap, self.depth + 1, self.links)
        blocks = inner.write(text)
        self.n_links += inner.n_links
        self.words_in_links += inner.words_in_links
        self.words_beside += inner.words_beside
        return blocks

    def _list(self, opening: Token) -> str:
        ordered = opening.type == "ordered_list_open"
        closing = opening.type.replace("_open", "_close")
        items: list[str] = []
        loose = False
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.type == closing:
                break
            marker = f"{token.info}{token.markup} " if ordered else f"{token.markup} "
            following = self._tokens[self._at]
            loose = loose or (following.type == "paragraph_open" and not following.hidden)
            blocks = self._blocks("list_item_close")
            if not blocks:
                continue
            joint = "\n\n" if loose or not all(block[:1] in "-*+0123456789" for block in blocks[1:]) else "\n"
            lines = joint.join(blocks).split("\n")
            items.append("\n".join([marker + lines[0], *(f"{' ' * len(marker)}{line}" if line else "" for line in lines[1:])]))
        return ("\n\n" if loose else "\n").join(items)

    def _code(self, token: Token) -> list[str]:
        info = token.info.strip()
        if info.startswith("{") and (match := re.match(r"\{([\w:+.-]+)\}", info)):
            return directive_to_markdown(match[1], info[match.end() :].strip(), token.content, self.removals, self._again)
        language = re.match(r"[\w+#.-]*", info.lstrip("{.= "))
        name = language[0] if language else ""
        title = FENCE_TITLE.search(info)
        said = next((group for group in title.groups() if group), "") if title else ""
        if ":" in info[: len(name) + 1] and not title:  # ```js:src/app.js
            said = info.split()[0].partition(":")[2]
        self.removals.add(MARKS, info)
        code = fence_code(token.content.rstrip("\n"), name, token.markup if token.markup.startswith("~") else "")
        return [f"**{said}**", code] if said else [code]

    def _table(self) -> str:
        rows: list[list[str]] = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.type == "table_close":
                break
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                cell = self._inline(token, in_cell=True).replace("\n", " ")
                rows[-1].append(re.sub(r"(?<!\\)\|", r"\\|", " ".join(cell.split())))
        return table_of(rows)

    def _definitions(self) -> list[str]:
        found: list[str] = []
        term = ""
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.type == "dl_close":
                break
            if token.type == "dt_open":
                found += [term] if term else []
                words = self._inline(self._take("dt_close"))
                term = words if words.startswith(("`", "**")) else self._bold(words)
            elif token.type == "dd_open":
                blocks = self._blocks("dd_close")
                if term and len(blocks) == 1 and "\n" not in blocks[0] and not blocks[0].startswith(("#", "- ", "|", ">", "```")):
                    found.append(f"{term}: {blocks[0]}")
                else:
                    found += [*([term] if term else []), *blocks]
                term = ""
        return [*found, *([term] if term else [])]

    def _footnote(self, token: Token) -> list[str]:
        label = token.meta["label"]
        first, *rest = self._blocks("footnote_reference_close") or [""]
        return [f"[^{label}]: {first}", *rest] if first else rest

    def _bold(self, words: str) -> str:
        shown = plain_words(words) if "](" in words else words.strip().replace("**", "")
        return f"**{shown}**" if shown else ""

    # 2. What stands in a line.

    def _take(self, closing: str) -> Token:
        """Returns the inline token of a block, and goes behind the block's end."""
        token = self._tokens[self._at]
        while self._tokens[self._at].type != closing:
            self._at += 1
        self._at += 1
        return token

    def _inline(self, token: Token, heading: bool = False, in_cell: bool = False) -> str:
        writer = InlineWriter(self.removals, self.unwrap, heading, in_cell)
        text = writer.write(token.children or [])
        self.n_links += writer.n_links
        if not heading:
            self.words_in_links += writer.words_in_links
            self.words_beside += writer.words_beside
        if writer.n_links and not writer.words_beside and not heading:
            self.links.add(text)
        if writer.n_links >= 2 and not heading and SEPARATED_LINKS.fullmatch(writer.beside):
            self.removals.add(CHROME, text)
            return ""
        return text

    def _links_within_page(self) -> bool:
        """Whether the list that begins here is links to parts of the page and nothing else; if so, goes behind it."""
        end, depth, n_links = self._at, 1, 0
        while end < len(self._tokens) and depth:
            token = self._tokens[end]
            if token.type in ("bullet_list_open", "ordered_list_open"):
                depth += 1
            elif token.type in ("bullet_list_close", "ordered_list_close"):
                depth -= 1
            elif token.type == "inline":
                links = _only_page_links(token.children or [])
                if not links:
                    return False
                n_links += links
            elif token.type in ("fence", "code_block", "table_open"):
                return False
            end += 1
        if n_links < 2:
            return False
        self.removals.add(
            PAGE_LINKS, "\n".join(token.content for token in self._tokens[self._at : end] if token.type == "inline")
        )
        self._at = end
        return True

    def _ends_section(self) -> bool:
        return self._at >= len(self._tokens) or self._tokens[self._at].type in ("heading_open", "hr")


@lru_cache(maxsize=1)
def markdown_parser() -> MarkdownIt:
    """Returns the parser of pages whose tags are gone and whose code is fenced."""
    parser = extend(MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).enable(["table", "strikethrough"]))
    parser.disable(["html_block", "html_inline", "code"])
    keep: Any = str
    parser.normalizeLink = keep  # type: ignore[method-assign]
    parser.normalizeLinkText = keep  # type: ignore[method-assign]
    parser.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005
    return parser


def _only_page_links(children: list[Token]) -> int:
    """Returns how many links a line has when it is links to parts of the page and nothing else, or 0."""
    depth = found = 0
    for child in children:
        if child.type == "link_open":
            if not str(child.attrs.get("href", "")).startswith("#"):
                return 0
            depth, found = depth + 1, found + 1
        elif child.type == "link_close":
            depth -= 1
        elif not depth and child.content.strip(" \t-–—•·*.|"):
            return 0
    return found


def _without_modules(content: str) -> str:
    """Returns a paragraph without the imports and exports of MDX that it begins with."""
    while True:
        match = IMPORT.match(content)
        if match:
            content = content[match.end() :]
            continue
        if EXPORT.match(content):
            end = _statement_end(content)
            content = content[end:].lstrip(";").lstrip("\n")
            continue
        return content


def _statement_end(content: str) -> int:
    """Returns where a statement ends: at the end of the line on which its brackets are closed."""
    depth = at = 0
    for line in content.splitlines(keepends=True):
        depth += sum(line.count(mark) for mark in "{([") - sum(line.count(mark) for mark in "})]")
        at += len(line)
        if depth <= 0:
            break
    return at
