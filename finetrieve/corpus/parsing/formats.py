"""Pages of every format as clean Markdown: HTML, reStructuredText, notebooks, plain text."""

from __future__ import annotations

import re
from dataclasses import replace

from finetrieve.corpus.parsing.chrome import remove_chrome
from finetrieve.corpus.parsing.cleaning import clean_markdown, clean_plain, first_heading, tidy
from finetrieve.corpus.parsing.html import HtmlWriter
from finetrieve.corpus.parsing.html_tree import measure, page_words, parse_html
from finetrieve.corpus.parsing.notebooks import notebook_to_markdown
from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.parsing.prose import plain_words
from finetrieve.corpus.parsing.removal import BROWSER_TITLE, Removals


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

        removals = Removals()
        try:
            page = html_page(restructuredtext_to_html(text, removals), removals, whole=True)
        except RecursionError:  # Hundreds of lists in lists, which docutils does not read.
            return clean_plain(text)
        return replace(page, source=text)
    if kind == "notebook":
        return clean_markdown(notebook_to_markdown(text))
    return clean_plain(text)


def html_page(html: str, removals: Removals | None = None, whole: bool = False) -> CleanPage:
    """Returns title and clean Markdown of an HTML page.

    Args:
        html: The page.
        removals: Notes what is taken out.
        whole: Whether there is no site around the page.
    """
    removals = removals or Removals()
    tree = measure(parse_html(html))
    source = page_words(tree)
    removals.add(BROWSER_TITLE, tree.title)
    if not whole:
        remove_chrome(tree, removals)
        tree = replace(measure(tree.body), title=tree.title)
    writer = HtmlWriter(tree, removals)
    text = tidy(writer.markdown())
    title = first_heading(text) or plain_words(re.split(r"\s+[—|·»]\s+|\s+-\s+(?=[^-]*$)", tree.title)[0])
    size = tree.size(tree.body)
    contents_only = size.links >= 8 and size.words - size.in_links < 0.15 * size.in_links
    return CleanPage(title, text, contents_only, frozenset(writer.links), source, tuple(removals.found))
