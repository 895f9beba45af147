"""Words kept: the words of a document that are in its chunks, and the rest by the reason for which they are not."""

from __future__ import annotations

import html
import unicodedata
from collections import Counter
from collections.abc import Iterable

from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.parsing.prose import WORD
from finetrieve.corpus.parsing.removal import Removal, WordCount

UNEXPLAINED = "no reason known"
"""A word that went without a reason is a fault of ours; the tests hold it at none."""


def words(text: str) -> Counter[str]:
    """Returns how often each word is in a text, case and the form of its letters aside."""
    return Counter(WORD.findall(unicodedata.normalize("NFKC", html.unescape(text) if "&" in text else text).casefold()))


def word_total(text: str) -> int:
    """Returns how many words a text has."""
    return words(text).total()


def words_lost(before: str, after: str) -> str:
    """Returns the words of a text that another does not have as often."""
    return "" if before == after else " ".join((words(before) - words(after)).elements())


def count_page(page: CleanPage) -> WordCount:
    """Returns the words of a page as it was read, against its clean text."""
    return count_words(page.source, f"{page.title}\n{page.text}", page.removals)


def count_words(before: str, after: str, removals: Iterable[Removal]) -> WordCount:
    """Returns which words of a text are in another, and why the others are not.

    A word counts as kept as often as both have it: said again, in a heading path or an overlap, it is not kept twice.
    """
    had = words(before)
    missing = had - words(after)
    result = WordCount(had.total())
    if not missing:
        return result
    by_reason: dict[str, list[str]] = {}
    for removal in removals:
        by_reason.setdefault(removal.reason, []).append(removal.text)
    for reason, texts in by_reason.items():
        explained = missing & words("\n".join(texts))
        if explained:
            result.removed[reason] += explained.total()
            missing -= explained
    if missing:
        result.removed[UNEXPLAINED] += missing.total()
    return result
