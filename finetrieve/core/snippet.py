"""Snippets: the words of a chunk's Markdown on one line, cut where the question's words are."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from markupsafe import Markup

from finetrieve.core.html import ELLIPSIS, clean, element, one_line

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_LONGEST = 8_000
"""Characters of a text that are parsed."""
_WORD = re.compile(r"\w+")
_FOOTNOTE_MARK = re.compile(r"\[\^[\w-]+\](?::\s)?")
"""In front of a note's text, or where the text refers to it."""
_SHORTEST_STEM = 4
_ENDING = re.compile(r"(?:ies|es|s|ing|ed|e|y)$")
_ASKING = frozenset(
    _WORD.findall(
        "a an and are as at be by can could did do does for from had has have how i if in is it its me my no not of on or our "
        "should so that the their them then there they this to was we were what when where which who why will with would you your"
    )
)
"""Words of a question that say nothing of what it is about."""
_BESIDE = 60
"""Characters before the first of the question's words that a cut snippet keeps."""


def plain_text(markdown: str) -> str:
    """Returns what a reader of the rendered Markdown reads, on one line: no marks, link targets, fences or table rules.

    HTML stays as the text it is written as: whoever shows the result escapes it.
    """
    shown = clean(markdown[:_LONGEST])
    return " ".join(" ".join(_words_of(_parser().parse(shown))).split())


def snippet(markdown: str, limit: int, question: str = "") -> str:
    """Returns at most `limit` characters of the text's words, from where most of the question's words stand."""
    text = plain_text(markdown)
    if len(text) <= limit:
        return one_line(text, limit)
    wanted = question_stems(question)
    beside = min(_BESIDE, limit // 3)
    places = [match.start() for match in _WORD.finditer(text) if _stem(match[0]) in wanted]
    if not places or places[0] < limit - beside:
        return one_line(text, limit)
    start = max(places, key=lambda place: (sum(place <= other < place + limit - beside for other in places), -place))
    start = text.rfind(" ", 0, max(1, start - beside)) + 1
    return one_line((ELLIPSIS if start else "") + text[start:], limit)


def marked(text: str, question: str) -> Markup:
    """Returns the text escaped, with the question's words in `<mark>`."""
    wanted, parts, position = question_stems(question), [Markup("")], 0
    for match in _WORD.finditer(text):
        if _stem(match[0]) in wanted:
            parts += [Markup.escape(clean(text[position : match.start()])), element("mark", match[0])]
            position = match.end()
    return Markup("").join([*parts, Markup.escape(clean(text[position:]))])


def question_stems(question: str) -> frozenset[str]:
    """Returns the stems of the words that a question is about."""
    return frozenset(_stem(word) for word in _WORD.findall(question) if word.lower() not in _ASKING)


def _stem(word: str) -> str:
    """Returns a word without its ending: enough to know `migrations` by `migration`, and never wrong by much."""
    lower = word.lower()
    short = _ENDING.sub("", lower)
    return short if len(short) >= _SHORTEST_STEM else lower


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table")


def _words_of(tokens: Iterable[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in ("fence", "code_block", "html_block"):
            yield token.content
        elif token.type == "inline":
            yield "".join(_inline(token.children or ()))


def _inline(tokens: Iterable[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "image":
            yield "".join(_inline(token.children or ()))
        elif token.type in ("softbreak", "hardbreak"):
            yield " "
        elif token.type == "text":
            yield _FOOTNOTE_MARK.sub("", token.content)
        else:
            yield token.content
