"""Parsed pages of one site as documents: without the lines that most of them share, each word counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from finetrieve.core.rows import Document, Skipped
from finetrieve.corpus.parsing.cleaning import readable_name
from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.parsing.prose import HEADING, plain_words
from finetrieve.corpus.parsing.recurring import drop_recurring_lines
from finetrieve.corpus.parsing.removal import WordCount
from finetrieve.corpus.sources.base import SourceRead
from finetrieve.corpus.word_count import count_page, count_words, word_total

CONTENTS = "hardly a word outside of links: a table of contents"
WITHOUT_SITE = ("openapi",)
"""Kinds of pages that have no site around them, so that what recurs on them is what they say."""
EMPTY = "no text is left after cleaning"


def counted(page: CleanPage) -> CleanPage:
    """Returns the page with its words counted, which then need not be kept as they were read."""
    return replace(page, source="", removals=(), words=count_page(page))


def documents_of_pages(pages: Sequence[tuple[str, str, CleanPage]]) -> SourceRead:
    """Returns a document for each page with text, those of a kind compared with one another.

    Args:
        pages: Name, kind and counted page, in the order of the documents.
    """
    by_kind: dict[str, list[int]] = defaultdict(list)
    cleaned: dict[int, CleanPage] = {}
    for index, (_, kind, page) in enumerate(pages):
        if kind in WITHOUT_SITE:
            cleaned[index] = page
        else:
            by_kind[kind].append(index)
    for indices in by_kind.values():
        cleaned.update(zip(indices, drop_recurring_lines([pages[index][2] for index in indices]), strict=True))
    documents: list[Document] = []
    skipped: list[Skipped] = []
    words = WordCount()
    for index, (name, _, before) in enumerate(pages):
        page = cleaned[index]
        words.add(before.words or WordCount())
        if page.text != before.text:
            words.removed.update(count_words(before.text, f"{page.title}\n{page.text}", page.removals).removed)
        reason = _objection(page)
        if reason:
            skipped.append(Skipped(name, reason))
            words.removed[reason] += word_total(f"{page.title}\n{page.text}" if page.title not in page.text else page.text)
        else:
            shown = name.encode(errors="replace").decode()
            documents.append(Document(id=shown, title=page.title or readable_name(shown), text=page.text, source=shown))
    return SourceRead(documents, skipped, words)


def _objection(page: CleanPage) -> str:
    """Returns why a page becomes no document, or an empty string."""
    if page.contents_only:
        return CONTENTS
    lines = page.text.split("\n")
    titled = HEADING.match(lines[0]) and plain_words(lines[0].lstrip("# ")) == page.title
    # A heading alone is a page of few words, but for one that held more: a list of other pages, say.
    said = lines[1:] if titled and page.words is not None and page.words.removed else lines
    return "" if any(character.isalnum() for character in " ".join(said)) else EMPTY
