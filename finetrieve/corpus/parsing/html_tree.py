"""The tree of an HTML page, and how many words its elements hold inside and outside of links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree, html
from lxml.html import HtmlElement

BLOCKS = frozenset([
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "dialog", "dir", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr",
    "html", "legend", "li", "main", "menu", "nav", "ol", "optgroup", "p", "pre", "search", "section", "summary", "table",
    "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "caption",
])  # fmt: skip
APART = frozenset({"br", "option", "button", "img", "script", "style"})
"""What else parts words."""
MAX_DEPTH = 120
"""Elements nested deeper are read as plain words: nothing crashes on ten thousand `<div>`."""


EXPONENT = re.compile(r"[-+\u2212]?\d{1,3}|[nx]")


@dataclass(slots=True)
class Size:
    """Words below an element."""

    words: int = 0
    in_links: int = 0
    links: int = 0

    @property
    def link_density(self) -> float:
        """The share of words that are links, 0..1."""
        return self.in_links / self.words if self.words else 1.0


@dataclass(frozen=True, slots=True)
class Tree:
    """A page and what is known of its elements."""

    body: HtmlElement
    title: str
    sizes: dict[HtmlElement, Size]
    holding_blocks: frozenset[HtmlElement]
    """Elements that have a block somewhere below."""

    def size(self, element: HtmlElement) -> Size:
        """Returns the words below an element, links told apart."""
        return self.sizes.get(element) or Size()


def parse_html(text: str) -> HtmlElement:
    """Returns the body of a page or of a piece of one."""
    text = re.sub(r"\A\s*<\?xml[^>]*>", "", text).replace("\x00", "")
    data = text.encode("utf-8", errors="replace")
    try:
        page = html.document_fromstring(data, parser=_parser())
    except etree.ParserError:  # Nothing but comments.
        page = html.document_fromstring(b"<html><body></body></html>", parser=_parser())
    return page


def words_of(element: HtmlElement) -> str:
    """Returns all text below an element, apart where blocks are, and what pictures are called."""
    parts: list[str] = []
    for event, inner in etree.iterwalk(element, events=("start", "end")):
        if not isinstance(inner.tag, str):
            continue
        apart = "\n" if inner.tag in BLOCKS or inner.tag in APART else " " if is_exponent(inner) else ""
        if event == "start":
            parts += [apart, inner.text or ""]
            if inner.tag == "img":
                parts += [inner.get("alt") or "", apart]
        else:
            parts += [apart, (inner.tail or "") if inner is not element else ""]
    return "".join(parts).replace("\u200b", "").replace("\u00ad", "")


def is_exponent(element: HtmlElement) -> bool:
    """Whether an element is a power, which is written with a mark: `x^2`."""
    return bool(element.tag == "sup" and not len(element) and EXPONENT.fullmatch((element.text or "").strip()))


def page_words(tree: Tree) -> str:
    """Returns all that a page can be read to say, its title in the browser's window included."""
    return f"{tree.title}\n{words_of(tree.body)}"


def measure(page: HtmlElement) -> Tree:
    """Returns the page with the words of every element counted, in one pass."""
    body = page if page.tag == "body" else page.find("body")
    body = page if body is None else body
    sizes: dict[HtmlElement, Size] = {}
    holding: set[HtmlElement] = set()
    for _, element in etree.iterwalk(body, events=("end",)):
        if not isinstance(element.tag, str):
            continue
        size = Size(len(element.text.split()) if element.text else 0)
        for child in element:
            inner = sizes.get(child)
            if inner is not None:
                size.words += inner.words
                size.in_links += inner.in_links
                size.links += inner.links
                if child.tag in BLOCKS or child in holding:
                    holding.add(element)
            if child.tail:
                size.words += len(child.tail.split())
        if element.tag == "a" and element.get("href") is not None:
            size.in_links, size.links = size.words, 1
        sizes[element] = size
    title = page.findtext(".//title") if page is not body else None
    return Tree(body, " ".join((title or "").split()), sizes, frozenset(holding))


def has_class(element: HtmlElement, *names: str) -> bool:
    """Whether one of the class names is given to an element."""
    return not set(names).isdisjoint((element.get("class") or "").split())


def drop(element: HtmlElement) -> None:
    """Takes an element out of the tree; the text behind it stays."""
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        before = element.getprevious()
        tail = f" {element.tail}" if element.tag in BLOCKS else element.tail
        if before is None:
            parent.text = (parent.text or "") + tail
        else:
            before.tail = (before.tail or "") + tail
    parent.remove(element)


@lru_cache(maxsize=1)
def _parser() -> html.HTMLParser:
    return html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
