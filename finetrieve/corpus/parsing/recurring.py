"""Lines that most pages of a site have: what is around the pages, found by comparing them rather than by a list of words.

Links that recur go wherever they stand. Other lines go at the beginning and the end of a page only, are short, and stay on the
first page that has them, so that no words leave the corpus; those with a date are the same when they begin alike. Nothing goes
where little else is left: such pages are made from a template, and what they share is what they say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from finetrieve.corpus.parsing.markdown import fenced_lines
from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.parsing.prose import WORD
from finetrieve.corpus.parsing.removal import RECURRING, Removal

MIN_PAGES = 5
"""Fewer pages are no evidence."""
MOST = 0.5
"""Of the pages have a line that recurs."""
MAX_WORDS = 25
"""Of a line that is no link; a longer one is a paragraph."""
ENDINGS = 0.05
"""Of the rows of a table end alike where that is the site's."""
GLUED = re.compile(r"([A-Z][a-z]+)(?=[A-Z])")
DATE = re.compile(r"\b(?:19|20)\d\d\b|\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|\b\d+ \w+ ago\b")
MAX_DATED_WORDS = 14
MIN_OWN_SHARE = 0.5
"""Of a page's words that are no recurring links; below it the page is made from a template."""


def drop_recurring_lines(pages: Sequence[CleanPage]) -> list[CleanPage]:
    """Returns the pages of one site without the lines that most of them have."""
    if len(pages) < MIN_PAGES:
        return list(pages)
    counts = Counter(key for page in pages for key in {_key(line) for line in page.text.split("\n")} if key)
    counts.update(key for page in pages for key in {_dated(line) for line in page.text.split("\n")} if key)
    recurring = {key for key, count in counts.items() if count > MOST * len(pages)}
    if not recurring:
        return list(pages)
    said: set[str] = set()
    return [_without(page, recurring, said) for page in pages]


def drop_recurring_endings(pages: Sequence[CleanPage]) -> list[CleanPage]:
    """Returns pages that others have cut out of a site, as the rows of a table, without the lines that such pages end with.

    A line counts that many pages end with word for word; above it, two kinds of lines that begin alike and go on without a blank:
    `PreviousInstall`, `NextUpgrade`, as the links to the neighbours read once they are text. The first page keeps its own.
    """
    enough = max(MIN_PAGES, ENDINGS * len(pages))
    lasts = Counter(_key(page.text.rsplit("\n", 1)[-1]) for page in pages)
    glued = Counter(match[1] for page in pages for match in {_glued(line) for line in _ending(page.text)} if match)
    endings = {key for key, count in lasts.items() if key and count >= enough and len(WORD.findall(key)) <= MAX_WORDS}
    starts = {start for start, count in glued.items() if count >= enough}
    said: set[str] = set()
    return [_without_ending(page, endings, starts if len(starts) > 1 else set(), said) for page in pages]


def _without_ending(page: CleanPage, endings: set[str], starts: set[str], said: set[str]) -> CleanPage:
    lines = page.text.split("\n")
    end = len(lines)
    while end > 1:
        line = lines[end - 1]
        match = _glued(line)
        recurs = _key(line) in endings and end == len(lines)
        if line.strip() and not recurs and not (match and match[1] in starts):
            break
        key = match[1] if match else _key(line)
        if line.strip() and key not in said:
            said.add(key)
            break
        end -= 1
    if end == len(lines) or not WORD.search(" ".join(lines[:end])):
        return page
    removed = Removal(RECURRING, "\n".join(lines[end:]))
    return replace(page, text=_without_gaps("\n".join(lines[:end])), removals=(*page.removals, removed))


def _ending(text: str) -> list[str]:
    return [line for line in text.rsplit("\n", 6)[-6:] if line.strip()]


def _glued(line: str) -> re.Match[str] | None:
    return GLUED.match(line) if len(WORD.findall(line)) <= 8 else None


def _without(page: CleanPage, recurring: set[str], said: set[str]) -> CleanPage:
    lines = page.text.split("\n")
    keys = [_key(line) for line in lines]
    fenced = fenced_lines(lines)
    links = {_key(line) for link in page.links for line in link.split("\n")} & recurring
    gone = {at for at, key in enumerate(keys) if key in links and not fenced[at]}
    edges = set[int]()
    for order in (range(len(lines)), range(len(lines) - 1, -1, -1)):
        for at in order:
            if at in gone or not keys[at]:
                continue
            if keys[at] not in recurring:
                keys[at] = _dated(lines[at])
            if keys[at] not in recurring or fenced[at] or _is_kept(lines[at], order):
                break
            edges.add(at)
    own = sum(len(WORD.findall(line)) for at, line in enumerate(lines) if at not in gone and not line.startswith("#"))
    shared = sum(len(WORD.findall(lines[at])) for at in edges if not lines[at].startswith("#"))
    if own - shared < max(1.0, MIN_OWN_SHARE * own):
        edges = set()
    if own == 0:
        gone = set()
    edges = {at for at in edges if keys[at] in said or said.add(keys[at])}  # type: ignore[func-returns-value]
    gone |= edges
    if not gone:
        return page
    text = "\n".join(line for at, line in enumerate(lines) if at not in gone)
    removed = Removal(RECURRING, "\n".join(lines[at] for at in sorted(gone)))
    return replace(page, text=_without_gaps(text), removals=(*page.removals, removed))


def _is_kept(line: str, order: range) -> bool:
    """Whether a recurring line is the page's all the same: a heading at its beginning, a row of a table, a long paragraph."""
    return (line.startswith("#") and order.step > 0) or line.lstrip().startswith("|") or len(WORD.findall(line)) > MAX_WORDS


def _key(line: str) -> str:
    return " ".join(line.split()).lstrip("-*+> ") if WORD.search(line) else ""


def _dated(line: str) -> str:
    """Returns what a short line with a date begins with, such as `Last updated`: the date and the name differ by page."""
    words = WORD.findall(line)
    if not 3 <= len(words) <= MAX_DATED_WORDS or line.lstrip().startswith(("#", "|")) or not DATE.search(line):
        return ""
    start = [word.casefold() for word in words[:2]]
    return "" if any(map(str.isdigit, "".join(start))) else f"\0{' '.join(start)}"


def _without_gaps(text: str) -> str:
    from finetrieve.corpus.parsing.cleaning import tidy

    return tidy(text)
