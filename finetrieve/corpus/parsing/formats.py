"""Pages of every format as clean Markdown: HTML, reStructuredText, notebooks, plain text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from finetrieve.corpus.parsing.cleaning import CleanPage, clean_markdown, clean_plain, first_heading
from finetrieve.corpus.parsing.html import html_to_markdown, parse_html, remove
from finetrieve.corpus.parsing.notebooks import notebook_to_markdown
from finetrieve.corpus.parsing.prose import plain_words

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

MAIN_CONTENT = (
    "main article",
    "article[role=main]",
    "[itemprop=articleBody]",
    "div.markdown-body",
    "div.theme-doc-markdown",
    "div.md-content",
    "div.document div.body",
    "[role=main]",
    "main",
    "article",
    "#main-content",
    "#content",
    "div.content",
)
"""Where documentation sites put the page itself, most telling first."""
MIN_MAIN_SHARE = 0.25
"""Of the page's words; an element with less is not taken for the main content."""
SITE_ELEMENTS = (
    "script, style, noscript, template, nav, aside, footer, iframe, object, embed, form, svg, button, select, dialog, canvas, "
    "video, audio, img, [role=navigation], [role=search], [role=banner], [role=contentinfo], [role=complementary], "
    "[aria-hidden=true], [hidden], .headerlink, .breadcrumb, .breadcrumbs, .toctree-wrapper, .toc, #toc, .table-of-contents, "
    ".sidebar, .sphinxsidebar, .related, .linenos, .prev-next-area, .prev-next-footer, .pagination, .pagination-nav, "
    ".edit-this-page, .theme-edit-this-page, .cookie-banner, .skip-link, .footnote-reference, .viewcode-link, .copybtn, "
    ".hash-link, .md-source-file"
)


def to_markdown(text: str, kind: str) -> CleanPage:
    """Returns title and clean Markdown of a page.

    Args:
        text: The whole page.
        kind: `markdown`, `html`, `restructuredtext`, `notebook` or `text`.

    Raises:
        ValueError: The page is not what its kind says.
    """
    if kind == "markdown":
        return clean_markdown(text)
    if kind == "html":
        return html_page(text)
    if kind == "restructuredtext":
        from finetrieve.corpus.parsing.restructuredtext import restructuredtext_to_html

        return html_page(restructuredtext_to_html(text))
    if kind == "notebook":
        return clean_markdown(notebook_to_markdown(text))
    body = clean_plain(text)
    return CleanPage("", body)


def html_page(html: str) -> CleanPage:
    """Returns title and clean Markdown of an HTML page's main content."""
    soup = parse_html(html)
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    remove(soup, "head")
    for header in soup.select("body > header, .site-header, .navbar, header.md-header"):
        header.decompose()
    remove(soup, SITE_ELEMENTS)
    for literal in soup.select("span.literal, tt"):  # As docutils and old Sphinx write `code`.
        literal.name = "code"
    page = clean_markdown(html_to_markdown(_main_content(soup)))
    heading = first_heading(page.text) or page.title
    return CleanPage(heading or plain_words(re.split(r"\s+[—|·»]\s+|\s+-\s+(?=[^-]*$)", title)[0]), page.text, page.contents_only)


def _main_content(soup: BeautifulSoup) -> Tag:
    page: Tag = soup.body or soup
    words = len(page.get_text(" ").split())
    for selector in MAIN_CONTENT:
        found = soup.select_one(selector)
        if found is not None and len(found.get_text(" ").split()) >= MIN_MAIN_SHARE * words:
            return found
    return page
