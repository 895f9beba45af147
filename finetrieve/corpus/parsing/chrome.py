"""The site around an HTML page, found by evidence: landmarks, links, and what stands outside of the main content.

A tag or a class name alone never decides. A block counts as the site's when it is a landmark outside of the page's content, or
when its words are links; what recurs on most pages is found later, when all pages of the site are known.
"""

from __future__ import annotations

import re
from itertools import islice

from lxml.html import HtmlElement

from finetrieve.corpus.parsing.html_tree import BLOCKS, Tree, drop, has_class, words_of
from finetrieve.corpus.parsing.removal import CHROME, CONTROLS, DRAWN_TWICE, LINE_NUMBERS, PAGE_LINKS, SCRIPTS, Removals

NOT_SHOWN = ("script", "style", "noscript", "template", "iframe", "object", "embed", "canvas", "head", "datalist")
LANDMARKS = {
    "navigation", "banner", "contentinfo", "complementary", "search", "main", "dialog", "alertdialog", "doc-toc", "doc-pagelist",
}  # fmt: skip
IMPLIED = {"nav": "navigation", "aside": "complementary", "main": "main", "search": "search", "dialog": "dialog"}
SECTIONING = ("article", "aside", "main", "nav", "section")
"""Within one of these, `<header>` and `<footer>` belong to it rather than to the page (HTML-AAM)."""
MOSTLY_LINKS = 0.5
ALL_LINKS = 0.9
FEW_WORDS = 8
"""Outside of the main content, fewer words than this are a control or a caption of the site."""
PROSE_WORDS = 12
MAX_BESIDE_CODE = 10
"""Elements around a code block at most: its buttons."""


def remove_chrome(tree: Tree, removals: Removals) -> None:
    """Takes the site around the page, and what is no words, out of the tree."""
    _remove_what_is_not_shown(tree, removals)
    mains = _mains(tree)
    _Judge(tree, mains, removals).visit(tree.body, inside=False)
    _remove_controls(tree, removals)


def landmark(element: HtmlElement) -> str:
    """Returns the ARIA landmark that an element is, or an empty string."""
    role = (element.get("role") or "").split(" ")[0].lower()
    if role:
        return role if role in LANDMARKS else ""
    if element.tag in ("header", "footer"):
        if any(parent.tag in SECTIONING or parent.get("role") == "main" for parent in element.iterancestors()):
            return ""
        return "banner" if element.tag == "header" else "contentinfo"
    return IMPLIED.get(element.tag, "")


def _remove_what_is_not_shown(tree: Tree, removals: Removals) -> None:
    for element in list(tree.body.iter(*NOT_SHOWN)):
        if element.tag == "noscript" and tree.size(element).words >= PROSE_WORDS:
            continue  # Some pages are only there for readers without JavaScript.
        removals.add(SCRIPTS, words_of(element))
        drop(element)
    for element in list(tree.body.iter("svg")):
        title = element.findtext(".//{*}title") or element.get("aria-label") or ""
        text = words_of(element)
        if len(text.split()) < PROSE_WORDS:  # An icon; a drawing's labels are words of the page.
            removals.add(SCRIPTS, text)
            for child in list(element):
                element.remove(child)
            element.tag, element.text = "span", title
    for element in list(tree.body.iter("math")):
        source = element.find(".//{*}annotation[@encoding='application/x-tex']")
        if source is not None and source.text:
            formula = source.text
            removals.add(DRAWN_TWICE, words_of(element))
            for child in list(element):
                element.remove(child)
            element.text = f"${formula.strip()}$"
            holder = element.getparent()
            drawn = holder.getnext() if holder is not None else None
            if drawn is not None and drawn.get("aria-hidden") == "true":
                removals.add(DRAWN_TWICE, words_of(drawn))
                drop(drawn)


def _mains(tree: Tree) -> list[HtmlElement]:
    """Returns the elements that say that they are the page's content and hold words; articles where none says so."""
    mains = [element for element in tree.body.iter() if landmark(element) == "main" and tree.size(element).words]
    if not mains:
        mains = [element for element in tree.body.iter("article") if tree.size(element).words]
        if sum(tree.size(element).words for element in mains) < 0.25 * tree.size(tree.body).words:
            mains = []
    return mains


class _Judge:
    """Walks down a page and drops what evidence says is the site's."""

    def __init__(self, tree: Tree, mains: list[HtmlElement], removals: Removals) -> None:
        self._tree = tree
        self._removals = removals
        self._mains = set(mains)
        self._around = {parent for main in mains for parent in main.iterancestors()}
        self._heading_in_main = any(main.find(".//h1") is not None for main in mains)
        self._words = tree.size(tree.body).words

    def visit(self, element: HtmlElement, inside: bool, depth: int = 0) -> None:
        for child in list(element):
            if depth > 100 or not isinstance(child.tag, str):
                continue
            if child in self._mains:
                self.visit(child, True, depth + 1)
            elif child in self._around:
                self.visit(child, inside, depth + 1)
            else:
                reason = self._inside_objection(child) if inside else self._outside_objection(child)
                if reason:
                    self._removals.add(reason, words_of(child))
                    drop(child)
                elif inside or not self._mains or self._has_landmark(child):
                    self.visit(child, inside, depth + 1)

    def _inside_objection(self, element: HtmlElement) -> str:
        """Returns why an element of the page's content is none of it: links to other parts, and nothing else."""
        if element.tag not in BLOCKS and element.tag != "a":
            return ""
        if element.tag == "a":
            return CHROME if set((element.get("rel") or "").split()) & {"prev", "next", "edit"} else ""
        size = self._tree.size(element)
        if element.tag in ("ul", "ol", "div", "nav", "aside", "section", "details") and _links_to_this_page(element, size):
            return PAGE_LINKS
        kind = landmark(element) or (element.get("role") or "")
        if kind in ("navigation", "doc-toc", "doc-pagelist"):
            return CHROME if size.link_density >= MOSTLY_LINKS else ""
        if kind == "search" or (element.tag == "form" and size.words < FEW_WORDS and _asks_for_text(element)):
            return CONTROLS if size.words < PROSE_WORDS else ""
        if kind in ("complementary", "contentinfo", "banner"):
            return CHROME if size.links > 1 and size.link_density >= ALL_LINKS else ""
        if has_class(element, "toctree-wrapper") and size.link_density >= ALL_LINKS:
            return CHROME
        return ""

    def _outside_objection(self, element: HtmlElement) -> str:
        """Returns why an element outside of the page's content is none of it."""
        size, kind = self._tree.size(element), landmark(element)
        if kind == "navigation":
            return CHROME if self._mains or size.link_density >= MOSTLY_LINKS else ""
        if kind == "banner":
            has_heading = element.find(".//h1") is not None and not self._heading_in_main
            is_prose = not self._mains and size.words >= FEW_WORDS // 2
            return "" if (has_heading or is_prose) and size.link_density < MOSTLY_LINKS else CHROME
        if kind == "contentinfo":
            return CHROME if self._mains or size.link_density >= MOSTLY_LINKS or size.words < 0.4 * self._words else ""
        if kind == "complementary":
            few = PROSE_WORDS if self._mains else FEW_WORDS // 2
            return CHROME if size.link_density >= MOSTLY_LINKS / 2 or size.words < few else ""
        if kind in ("search", "dialog", "alertdialog"):
            return CHROME
        if not self._mains:
            return self._inside_objection(element)
        if self._has_landmark(element):
            return ""
        return CHROME if size.link_density >= MOSTLY_LINKS or size.words < FEW_WORDS else ""

    def _has_landmark(self, element: HtmlElement) -> bool:
        return any(landmark(child) for child in element.iterdescendants() if isinstance(child.tag, str))


def _links_to_this_page(element: HtmlElement, size: object) -> bool:
    """Whether an element is a page's own table of contents: two links or more, all to parts of the page, and no words beside."""
    from finetrieve.corpus.parsing.html_tree import Size

    if not isinstance(size, Size) or size.links < 2:
        return False
    beside = size.words - size.in_links
    return (beside <= 3 and size.link_density >= MOSTLY_LINKS) and all(
        (link.get("href") or "#").startswith("#") for link in element.iter("a")
    )


def _asks_for_text(form: HtmlElement) -> bool:
    return any((field.get("type") or "text").lower() in ("text", "search") for field in form.iter("input"))


def _remove_controls(tree: Tree, removals: Removals) -> None:
    """Takes out copy buttons, line numbers and marks beside headings: what helps to handle a page and says nothing."""
    for pre in list(tree.body.iter("pre")):
        if next(pre.iterancestors("pre"), None) is not None:
            continue
        numbers = words_of(pre).split()
        if len(numbers) > 1 and all(map(str.isdigit, numbers)) and _is_count(numbers) and pre.xpath("ancestor::tr[1]//td[2]"):
            removals.add(LINE_NUMBERS, " ".join(numbers))
            drop(pre)
    for button in list(tree.body.iter("button")):
        if _beside_code(button):
            removals.add(CONTROLS, words_of(button))
            drop(button)
    for link in list(tree.body.iter("a")):
        text = words_of(link)
        to_here = (link.get("href") or "").startswith("#")
        if (to_here and text and not re.search(r"\w", text)) or (
            text.strip() == "[source]" and "_modules/" in (link.get("href") or "")
        ):
            removals.add(CONTROLS, text)
            drop(link)
    for icon in list(tree.body.iter("i", "span")):
        text = icon.text or ""
        if re.fullmatch(r"[a-z]+(?:_[a-z0-9]+)*", text) and re.search(r"\bmaterial-(?:icons|symbols)", icon.get("class") or ""):
            removals.add(CONTROLS, text)
            icon.text = ""


def _is_count(numbers: list[str]) -> bool:
    first = int(numbers[0])
    return all(int(number) == first + at for at, number in enumerate(numbers))


def _beside_code(button: HtmlElement) -> bool:
    """Whether a button belongs to a code block: it is in one, or alone with one in an element."""
    if next(button.iterancestors("pre"), None) is not None:
        return True
    for parent in islice(button.iterancestors(), 3):
        if len(parent) > MAX_BESIDE_CODE:
            return False
        others = [child for child in parent if child.tag != "button" and child is not button and (child.text or len(child))]
        others = [child for child in others if button not in child.iterdescendants()]
        if others:
            return len(others) == 1 and (others[0].tag == "pre" or _only_code(others[0]))
    return False


def _only_code(element: HtmlElement) -> bool:
    code = element.find(".//pre")
    return code is not None and len(words_of(element).split()) == len(words_of(code).split())
