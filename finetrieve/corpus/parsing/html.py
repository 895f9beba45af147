"""HTML as Markdown: a piece of a page, such as a table, or what is left of a whole one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag


def html_fragment_to_markdown(html: str) -> str:
    """Returns a piece of HTML, such as a table, as Markdown."""
    soup = parse_html(html)
    remove(soup, "script, style, img, svg")
    return html_to_markdown(soup).strip("\n")


def parse_html(html: str) -> BeautifulSoup:
    """Returns the tree of a page or of a piece of one."""
    import warnings

    from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        return BeautifulSoup(re.sub(r"^\s*<\?xml[^>]*\?>", "", html), "lxml")


def remove(soup: BeautifulSoup, selector: str) -> None:
    """Takes the elements that a CSS selector finds out of the tree."""
    for element in soup.select(selector):
        if not element.decomposed and element.name not in ("html", "body"):
            element.decompose()


def html_to_markdown(element: Tag) -> str:
    """Returns the words of an element as Markdown."""
    from markdownify import MarkdownConverter

    converter = MarkdownConverter(
        heading_style="ATX",
        bullets="-",
        escape_asterisks=False,
        escape_underscores=False,
        escape_misc=False,
        table_infer_header=True,
        code_language_callback=_code_language,
    )
    return str(converter.convert_soup(element))


def _code_language(pre: Tag) -> str:
    """Returns the language of a code block from the class names that Sphinx, Prism and Pygments give it or what is around it."""
    nearby = [pre, *pre.find_all("code", limit=1), *list(pre.parents)[:3]]
    for element in nearby:
        given: object = element.get("class")
        classes = [str(name) for name in given] if isinstance(given, list) else str(given or "").split()
        for name in classes:
            match = re.match(r"(?:highlight|language|lang|brush)[-:](?!source)(\w+)$", name)
            if match and match[1] not in ("default", "none", "text", "plaintext"):
                return match[1]
            if name == "code" and len(classes) > 1:
                return classes[1]
    return ""
