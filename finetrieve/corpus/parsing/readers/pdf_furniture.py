"""What is printed on every page beside its text: running headers and footers and page numbers, found by comparing the pages."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from dataclasses import replace

from finetrieve.corpus.parsing.readers.pdf_lines import Line, PageLines
from finetrieve.corpus.parsing.removal import PAGE_FURNITURE, PAGE_LINKS, Removals

MARGIN = 0.14
"""Of a page's height, at its top and at its bottom, where headers and footers stand."""
MAX_LINES = 3
"""Of a header or a footer."""
MIN_PAGES = 3
MOST = 0.4
"""Of all pages; those on the left and on the right often differ."""
MOST_OF_RUN = 0.6
"""Of the pages between the first and the last that have a line: the header of a chapter."""
GAP = 0.6
"""Of a line's size, between it and the text."""
NUMBERED_PAGES = 0.3
"""Of all pages have their number at the same place."""
LARGER = 1.25
"""Times the usual size on the page: a line that large is a heading of the text."""
ROMAN = re.compile(r"^[ivxlcdm]{1,6}$", re.IGNORECASE)
DIGITS = re.compile(r"\d+")
OUTER_NUMBER = re.compile(r"^\W*(\d{1,5})\b|\b(\d{1,5})\W*$")
LEADER = re.compile(r"(?:\.[ \u00a0]?){4,}\s*(?:[\w-]{1,7})?$|\u2026{2,}\s*[\w-]{1,7}$")
"""Dots that lead to the number of a page: an entry of the list of contents."""


def without_furniture(pages: list[PageLines], removals: Removals) -> list[PageLines]:
    """Returns the pages without the lines at their edges that come again at the same height from page to page.

    A number counts as one of pages when it rises with them, whatever stands beside it; a line with any other number that changes
    is text, such as `Step 1`, `Step 2`.
    """
    places: dict[tuple[str, int, bool], list[tuple[int, Line]]] = defaultdict(list)
    for index, page in enumerate(pages):
        for line, at_top in _edge_lines(page):
            places[_form(line.text), round((line.top if at_top else page.height - line.top) / 6), at_top].append((index, line))
    gone = _numbered(pages)
    for found in places.values():
        if _recurs([index for index, _ in found], len(pages), _is_number(found[0][1].text)) and _is_of_pages(found, pages):
            for index, line in found:
                gone[index].add(id(line))
    kept = []
    for index, page in enumerate(pages):
        for line in page.lines:
            if id(line) in gone[index]:
                removals.add(PAGE_FURNITURE, line.text)
        kept.append(replace(page, lines=[line for line in page.lines if id(line) not in gone[index]]))
    return kept


def without_contents(page: PageLines, removals: Removals) -> PageLines:
    """Returns the page without entries of a list of contents, which dots lead to the number of a page."""
    entries = [line for line in page.lines if not line.rows and LEADER.search(line.text)]
    if len(entries) < MIN_PAGES:
        return page
    removals.add(PAGE_LINKS, "\n".join(line.text for line in entries))
    gone = {id(line) for line in entries}
    return replace(page, lines=[line for line in page.lines if id(line) not in gone])


def _numbered(pages: list[PageLines]) -> dict[int, set[int]]:
    """Returns the lines at the edges of pages that begin or end with the number of their page, whatever else they say.

    Such a number is as far from the page's place in the file, and at the same height, on a good part of the pages.
    """
    found: dict[tuple[int, int, bool], list[tuple[int, Line]]] = defaultdict(list)
    for index, page in enumerate(pages):
        for line, at_top in _edge_lines(page):
            height = round((line.top if at_top else page.height - line.top) / 6)
            offsets = {int(match[1] or match[2]) - page.number for match in OUTER_NUMBER.finditer(line.text)}
            for offset in offsets:
                found[offset, height, at_top].append((index, line))
    gone: dict[int, set[int]] = defaultdict(set)
    numbering = {
        offset
        for (offset, _, _), lines in found.items()
        if len({index for index, _ in lines}) >= max(MIN_PAGES, NUMBERED_PAGES * len(pages))
    }
    for (offset, _, _), lines in found.items():
        often = len({index for index, _ in lines}) >= max(MIN_PAGES, NUMBERED_PAGES * len(pages))
        for index, line in lines:
            if offset in numbering and (often or _is_number(line.text)):
                gone[index].add(id(line))
    return gone


def _edge_lines(page: PageLines) -> list[tuple[Line, bool]]:
    """Returns the lines at the top and at the bottom of a page, and which of the two."""
    lines = sorted((line for line in page.lines if not line.rows), key=lambda line: line.top)
    sizes = sorted(line.size for line in lines)
    limit = LARGER * sizes[len(sizes) // 2] if len(sizes) > 2 * MAX_LINES else float("inf")
    above = _apart(lines, [line for line in lines if line.bottom < MARGIN * page.height])
    below = _apart(lines[::-1], [line for line in reversed(lines) if line.top > (1 - MARGIN) * page.height])
    return [(line, at_top) for some, at_top in ((above, True), (below, False)) for line in some if line.size <= limit]


def _apart(lines: list[Line], margin: list[Line]) -> list[Line]:
    """Returns the first lines of a page, from its edge on, that a gap parts from the text; in the text no gap is as wide."""
    end = 0
    for at in range(1, min(len(margin), MAX_LINES) + 1):
        if at == len(lines) or _gap(lines[at - 1], lines[at]) > GAP * lines[at - 1].size:
            end = at
    return margin[:end]


def _gap(one: Line, other: Line) -> float:
    return max(one.top, other.top) - min(one.bottom, other.bottom)


def _form(text: str) -> str:
    words = " ".join(text.split()).casefold()
    return "#" if ROMAN.match(words) else DIGITS.sub("#", words)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[\W#]*", _form(text)) is not None


def _recurs(indices: list[int], n_pages: int, is_number: bool) -> bool:
    pages = sorted(set(indices))
    if len(pages) < (2 if is_number else MIN_PAGES):
        return False
    run = pages[-1] - pages[0] + 1
    step = 2 if all((page - pages[0]) % 2 == 0 for page in pages) else 1
    return len(pages) >= MOST * n_pages or len(pages) >= MOST_OF_RUN * run / step


def _is_of_pages(found: list[tuple[int, Line]], pages: list[PageLines]) -> bool:
    """Whether the numbers in lines stay the same or rise with the pages."""
    numbers = [(index, [int(number) for number in DIGITS.findall(line.text)[:6]]) for index, line in found]
    columns = zip(*(values for _, values in numbers), strict=False)
    for values in columns:
        offsets = [value - pages[index].number for value, (index, _) in zip(values, numbers, strict=True)]
        steady = max(map(offsets.count, set(offsets))) >= 0.7 * len(offsets)
        same = max(map(values.count, set(values))) >= 0.7 * len(values)
        rising = all(above <= below <= above + 2 for above, below in itertools.pairwise(values)) and len(set(values)) > 2
        if not (steady or same or (rising and _is_number(found[0][1].text))):
            return False
    return True
