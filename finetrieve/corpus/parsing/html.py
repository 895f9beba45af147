"""HTML as Markdown: a piece of a page, such as a table, or what is left of a whole one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lxml.html import HtmlElement

from finetrieve.corpus.parsing.html_tables import table_to_markdown
from finetrieve.corpus.parsing.html_tree import BLOCKS, MAX_DEPTH, Tree, has_class, is_exponent, measure, parse_html, words_of
from finetrieve.corpus.parsing.markdown import fence_code
from finetrieve.corpus.parsing.prose import EDGE_MARKS, says_something
from finetrieve.corpus.parsing.removal import PICTURES, SCRIPTS, Removals

SPACE = re.compile(r"[ \t\n\r\f]+")
CODE_TAGS = frozenset({"code", "tt", "samp"})
UNSHOWN = frozenset(
    {"script", "style", "head", "title", "template", "iframe", "object", "embed", "canvas", "datalist", "colgroup", "col"}
)
STARTS_BLOCK = re.compile(r"^(#{1,6}(?=\s)|`{3,}|~{3,}|>(?=\s))")
"""What would begin another kind of block in Markdown and is only text here."""


def html_fragment_to_markdown(fragment: str, removals: Removals | None = None, text: Callable[[str], str] | None = None) -> str:
    """Returns a piece of HTML, such as a table, as Markdown.

    Args:
        fragment: What stands between two tags, those included.
        removals: Notes what is taken out.
        text: Turns the text between tags into Markdown; given where the piece stands in a Markdown page.
    """
    tree = measure(parse_html(fragment))
    return HtmlWriter(tree, removals or Removals(), text).markdown()


class HtmlWriter:
    """Writes the elements of a tree as Markdown."""

    def __init__(self, tree: Tree, removals: Removals, text: Callable[[str], str] | None = None) -> None:
        self._tree = tree
        self._removals = removals
        self._text = text
        self.links: set[str] = set()
        """Lines that are links and nothing else."""

    def markdown(self) -> str:
        """Returns the whole tree as Markdown."""
        return "\n\n".join(self.blocks(self._tree.body))

    def blocks(self, element: HtmlElement, depth: int = 0) -> list[str]:
        """Returns the blocks inside an element, in their order; text beside blocks becomes paragraphs."""
        if depth > MAX_DEPTH:
            return [flat] if (flat := self._squeeze(words_of(element))) else []
        found: list[str] = []
        run = [self._plain(element.text)]
        for child in element:
            if self._is_block(child):
                found += self._paragraphs("".join(run), element)
                run = []
                found += self._block(child, depth + 1)
            else:
                run.append(self._inline(child, depth + 1))
            run.append(self._plain(child.tail))
        return _join_labels(found + self._paragraphs("".join(run), element))

    def inline(self, element: HtmlElement, depth: int = 0) -> str:
        """Returns what is in an element as one run of text."""
        if depth > MAX_DEPTH:
            return self._plain(words_of(element))
        parts = [self._plain(element.text)]
        for child in element:
            if isinstance(child.tag, str):
                text = self._inline(child, depth + 1)
                parts.append(f" {text} " if child.tag in BLOCKS else text)
            parts.append(self._plain(child.tail))
        return "".join(parts)

    def line(self, element: HtmlElement) -> str:
        """Returns what is in an element as one line."""
        return self._squeeze(self.inline(element))

    def is_code(self, element: HtmlElement) -> bool:
        """Whether an element is nothing but a name or a signature of code."""
        classes = element.get("class") or ""
        return bool(re.search(r"\bsig\b|\bsig-object\b", classes)) or (
            len(element) == 1
            and not (element.text or "").strip()
            and element[0].tag in CODE_TAGS
            and not (element[0].tail or "").strip()
        )

    # 1. Blocks.

    def _is_block(self, element: HtmlElement) -> bool:
        return element.tag in BLOCKS or element in self._tree.holding_blocks

    def _block(self, element: HtmlElement, depth: int) -> list[str]:
        tag = element.tag
        if tag in UNSHOWN:
            self._removals.add(SCRIPTS, words_of(element))
            return []
        level = _heading_level(element)
        if level:
            return list(self._heading(element, level, depth))
        if tag == "pre":
            return [code] if (code := self._code(element)) else []
        if tag in ("ul", "ol", "menu", "dir"):
            return [text] if (text := self._list(element, tag == "ol", depth)) else []
        if tag == "dl":
            return list(self._definitions(element, depth))
        if tag == "table":
            return table_to_markdown(element, self, depth)
        if tag == "blockquote":
            inner = "\n\n".join(self.blocks(element, depth))
            return ["\n".join(f"> {line}".rstrip() for line in inner.split("\n"))] if inner else []
        if tag in ("summary", "legend") and element not in self._tree.holding_blocks:
            return [_bold(text)] if (text := self.line(element)) else []
        if tag == "hr":
            return []
        return self.blocks(element, depth)

    def _paragraphs(self, run: str, element: HtmlElement) -> list[str]:
        lines = [self._squeeze(line) for line in run.split("\n")]
        text = "\n".join(STARTS_BLOCK.sub(r"\\\1", line) for line in lines if line)
        if not text.strip("*` |"):
            return []
        size = self._tree.size(element)
        if size.links and size.words == size.in_links:
            self.links.add(text)
        return [text]

    def _heading(self, element: HtmlElement, level: int, depth: int) -> Iterator[str]:
        """Yields a heading, and after it the blocks that were wrongly put into it."""
        if not any(child.tag in BLOCKS for child in element.iterdescendants()):
            words = self._squeeze(EDGE_MARKS.sub("", self.line(element)))
            if words:
                yield f"{'#' * level} {words}"
            return
        first, *rest = self.blocks(element, depth) or [""]
        if first and "\n" not in first and not first.startswith(("#", "|", "- ")):
            yield f"{'#' * level} {first}"
        elif first:
            yield first
        yield from rest

    def _code(self, pre: HtmlElement) -> str:
        for br in pre.iter("br"):
            br.tail = "\n" + (br.tail or "")
        code = "".join(pre.itertext()).strip("\n")
        return fence_code(code, code_language(pre)) if code.strip() else ""

    def _list(self, element: HtmlElement, ordered: bool, depth: int) -> str:
        items: list[str] = []
        start = element.get("start") or "1"
        number = int(start) if start.isdecimal() and len(start) < 9 else 1
        loose = False
        for child in element:
            if not isinstance(child.tag, str):
                continue
            blocks = self.blocks(child, depth) if child.tag == "li" else self._block(child, depth)
            if not blocks:
                continue
            marker = f"{number}. " if ordered else "- "
            number += 1
            loose = loose or (len(blocks) > 1 and not all(block.startswith(("- ", "1. ")) for block in blocks[1:]))
            joint = "\n\n" if loose else "\n"
            lines = joint.join(blocks).split("\n")
            items.append("\n".join([marker + lines[0], *(f"{' ' * len(marker)}{line}" if line else "" for line in lines[1:])]))
        return ("\n\n" if loose else "\n").join(items)

    def _definitions(self, element: HtmlElement, depth: int) -> Iterator[str]:
        """Yields terms and what they mean: a short meaning in the term's line, a longer one as the paragraphs that it is."""
        terms: list[str] = []
        code = False
        for child in _grouped(element):
            if child.tag == "dt":
                code = self.is_code(child)
                text = self._squeeze("".join(child.itertext())) if code else self.line(child)
                if text:
                    terms.append(f"`{text.replace('`', '')}`" if code else text)
                continue
            blocks = self.blocks(child, depth)
            term = ", ".join(terms) if code else _bold(", ".join(terms))
            if terms and blocks and not code and len(blocks) == 1 and _is_prose(blocks[0]):
                yield f"{term} {blocks[0]}" if ", ".join(terms).endswith(":") else f"{term}: {blocks[0]}"
            else:
                yield from ([term] if terms else [])
                yield from blocks
            terms = []
        if terms:
            yield ", ".join(terms)

    # 2. What stands in a line.

    def _inline(self, element: HtmlElement, depth: int) -> str:
        tag = element.tag
        if not isinstance(tag, str) or tag in UNSHOWN:
            if isinstance(tag, str):
                self._removals.add(SCRIPTS, words_of(element))
            return ""
        if tag == "br":
            return "\n"
        if tag == "img":
            return self._picture(element)
        if tag == "input":
            return self._field(element)
        if tag in CODE_TAGS or (tag == "span" and has_class(element, "literal")):
            return _code_span(self._squeeze("".join(element.itertext())))
        if tag == "pre":
            return _code_span(self._squeeze("".join(element.itertext())))
        text = self.inline(element, depth)
        if tag in ("strong", "b"):
            return _around(text, "**")
        if tag in ("em", "i", "cite", "var", "dfn"):
            if not text.strip():
                return _label(element) or text
            return _around(text, "*") if tag in ("em", "i") else text
        if tag == "button":
            return f" {text.strip()} " if text.strip() else _label(element)
        if tag == "q":
            return f'"{text}"'
        if tag == "option":
            return f"{text} "
        if is_exponent(element) and text.strip():
            return f"^{text.strip()}"
        return text if text.strip() or not _label(element) else _label(element)

    def _picture(self, element: HtmlElement) -> str:
        words = self._squeeze(element.get("alt") or "")
        in_cell = next(element.iterancestors("td", "th"), None) is not None
        if words and (says_something(words, element.get("src") or "") or (in_cell and _only_child(element))):
            return f" {words} "
        self._removals.add(PICTURES, words)
        return ""

    def _field(self, element: HtmlElement) -> str:
        kind = (element.get("type") or "text").lower()
        if kind in ("checkbox", "radio"):
            return "[x] " if element.get("checked") is not None else "[ ] "
        return element.get("value") or "" if kind in ("button", "submit", "reset") else ""

    def _plain(self, text: str | None) -> str:
        if not text:
            return ""
        text = SPACE.sub(" ", text)
        return self._text(text) if self._text and not text.isspace() else text

    def _squeeze(self, text: str) -> str:
        text = re.sub(r"\*\*(\s*)\*\*", r"\1", text.replace("\u200b", "").replace("\u00ad", ""))
        return SPACE.sub(" ", text.replace("\u00a0", " ")).strip()


def code_language(pre: HtmlElement) -> str:
    """Returns the language of a code block from the class names that Sphinx, Prism and Pygments give it or what is around it."""
    nearby = [pre, *list(pre.iter("code"))[:1], *list(pre.iterancestors())[:3]]
    for element in nearby:
        classes = (element.get("class") or "").split()
        for name in classes:
            match = re.match(r"(?:highlight|language|lang|brush)[-:](?!source)(\w+)$", name)
            if match and match[1] not in ("default", "none", "text", "plaintext"):
                return match[1]
            if name == "code" and len(classes) > 1:
                return str(classes[1])
    return ""


def _heading_level(element: HtmlElement) -> int:
    if element.get("role") == "heading":
        level = element.get("aria-level") or "2"
        return min(int(level), 6) if level.isdecimal() and level != "0" else 2
    return int(element.tag[1]) if len(element.tag) == 2 and element.tag[0] == "h" and element.tag[1] in "123456" else 0


def _grouped(element: HtmlElement) -> Iterator[HtmlElement]:
    """Yields the terms and meanings of a definition list, those in a `<div>` too."""
    for child in element:
        if child.tag == "div" and any(inner.tag in ("dt", "dd") for inner in child):
            yield from child
        elif isinstance(child.tag, str):
            yield child


def _join_labels(blocks: list[str]) -> list[str]:
    """Returns the blocks with the mark of a footnote, `[1]`, in front of its words rather than above them."""
    joined: list[str] = []
    for block in blocks:
        if joined and re.fullmatch(r"\[[^\[\]\n]{1,30}\]", joined[-1]) and _is_prose(block):
            joined[-1] = f"{joined[-1]} {block}"
        else:
            joined.append(block)
    return joined


def _is_prose(block: str) -> bool:
    return "\n" not in block and not block.startswith(("#", "- ", "1. ", "|", ">", "`" * 3, "**"))


def _label(element: HtmlElement) -> str:
    """Returns what an element without text is called: its label, or what its icon shows."""
    label = element.get("aria-label") or element.get("title") or ""
    if label or len(element) or element.tag not in ("i", "span"):
        return label if element.tag in ("i", "span") and element.get("aria-hidden") != "true" else ""
    if next(element.iterancestors("td", "th"), None) is None:
        return ""
    icon = re.search(r"(?:^|[\s-])(?:fa|icon|bi|mdi|octicon|icon-cell)-([a-z]{2,})", element.get("class") or "")
    return icon[1] if icon else ""


def _only_child(element: HtmlElement) -> bool:
    cell = next(element.iterancestors("td", "th"))
    return not "".join(cell.itertext()).strip()


def _bold(text: str) -> str:
    return f"**{text.replace('**', '')}**" if text else ""


def _around(text: str, mark: str) -> str:
    """Returns the text between marks, which stand at its words rather than at its blanks."""
    inner = text.strip()
    if not inner or mark in inner or "\n" in inner:
        return text
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{before}{mark}{inner}{mark}{after}"


def _code_span(text: str) -> str:
    if not text:
        return ""
    if "`" in text:
        return f"`` {text} ``"
    return f"`{text}`"
