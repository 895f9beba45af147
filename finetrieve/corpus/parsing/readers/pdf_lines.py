"""A page of a PDF as lines in reading order: letters become words, words lines, ruled boxes tables; column after column."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

UNMAPPED = re.compile(r"\(cid:\d+\)|[\ue000-\uf8ff]")
BOLD = re.compile(r"bold|black|heavy|demi", re.IGNORECASE)
MONO = re.compile(r"mono|courier|consol|menlo|typewriter|cmtt|code|inconsolata|fixed", re.IGNORECASE)
MAX_EDGES = 4000
"""Lines drawn on a page; more is a drawing rather than a table."""
WORD_GAP = 0.15
"""Of the size of letters: a gap as wide parts words."""
PIECE_GAP = 1.1
"""Of the size of letters: no gap inside a line of prose is as wide, so what is on both sides are columns or cells."""
DRAWN_TWICE = 0.02
"""Of a page's letters: more that lie on equal ones are drawn twice to look bold."""
GUTTER = 6.0
"""Points between two columns at least."""
MIN_SIDE = 4
"""Pieces of lines on each side of a gutter at least."""
MAX_CROSSING = 0.3
"""Of the pieces may reach across the gutter: titles and wide tables."""
MIN_COLUMN_WORDS = 3.0
"""Words in a column's line on average; fewer are cells of a table."""


@dataclass(slots=True)
class Word:
    """A word and how it is drawn."""

    text: str
    x0: float
    x1: float
    top: float
    bottom: float
    size: float
    bold: bool
    mono: bool


@dataclass(slots=True)
class Line:
    """A line of a column, or a table."""

    text: str
    x0: float
    x1: float
    top: float
    bottom: float
    size: float
    bold: bool = False
    mono: bool = False
    pieces: tuple[tuple[float, float, str], ...] = ()
    """Left and right end and words of the parts between which wide gaps are; empty where there is one part."""
    rows: list[list[str]] = field(default_factory=list)
    """Of a table."""
    edges: tuple[int, ...] = ()
    """Left ends of a table's columns, in points."""
    raw: str = ""
    """The words of a table as they are drawn."""


@dataclass(slots=True)
class PageLines:
    """The lines of one page in reading order."""

    number: int
    width: float
    height: float
    lines: list[Line]
    letters: int
    unmapped: int
    unmapped_text: str = ""
    alternatives: list[str] = field(default_factory=list)
    """What the pictures of the page are called."""


def page_lines(page: Any) -> PageLines:
    """Returns the lines of a page of pdfplumber in reading order."""
    letters_drawn = page.chars
    if len({(c["text"], round(c["x0"]), round(c["top"])) for c in letters_drawn}) < (1 - DRAWN_TWICE) * len(letters_drawn):
        page = page.dedupe_chars(tolerance=0.5)
    found = page.extract_words(
        x_tolerance_ratio=WORD_GAP, y_tolerance=2, extra_attrs=["fontname", "size"], keep_blank_chars=False
    )
    unmapped = " ".join(match for item in found for match in UNMAPPED.findall(item["text"]))
    words = [word for item in found if (word := _word(item)) is not None]
    tables, words = _tables(page, words)
    pieces = [*_pieces(words), *tables]
    lines = [line for column in _columns(pieces) for line in _lines(column)]
    letters = sum(len(word.text) for word in words) + sum(len(table.raw) for table in tables)
    n_unmapped = len(UNMAPPED.findall(unmapped))
    return PageLines(page.page_number, float(page.width), float(page.height), lines, letters, n_unmapped, unmapped)


def _word(item: dict[str, Any]) -> Word | None:
    text = UNMAPPED.sub("", item["text"]).replace("\x00", "")
    if not text.strip():
        return None
    font = item["fontname"].rpartition("+")[2]
    size = round(float(item["size"]) * 2) / 2
    return Word(text, item["x0"], item["x1"], item["top"], item["bottom"], size, bool(BOLD.search(font)), bool(MONO.search(font)))


# 1. Tables that are ruled.


def _tables(page: Any, words: list[Word]) -> tuple[list[Line], list[Word]]:
    """Returns the ruled tables of a page, and the words that stand in none of them."""
    if len(page.edges) < 4 or len(page.edges) > MAX_EDGES:
        return [], words
    tables: list[Line] = []
    for table in page.find_tables():
        boxes = [list(row.cells) for row in table.rows]
        if len(boxes) < 2 or max(map(len, boxes)) < 2:
            continue
        inside: dict[tuple[int, int], list[Word]] = {}
        rest = []
        for word in words:
            place = _cell_of(word, boxes, table.bbox)
            if place is None:
                rest.append(word)
            else:
                inside.setdefault(place, []).append(word)
        rows = [
            [" ".join(line.text for line in _lines(_pieces(inside.get((y, x), [])))) for x in range(len(row))]
            for y, row in enumerate(boxes)
        ]
        rows = [row for row in rows if any(row)]
        columns = [at for at in range(max(map(len, rows), default=0)) if any(len(row) > at and row[at] for row in rows)]
        if len(rows) < 2 or len(columns) < 2:
            continue  # A box around text.
        words = rest
        rows = [[row[at] if at < len(row) else "" for at in columns] for row in rows]
        x0, top, x1, bottom = table.bbox
        edges = tuple(round(box[0]) for box in next(row for row in boxes if len(row) > columns[-1]) if box)
        raw = "\n".join(" ".join(row) for row in rows)
        tables.append(Line(raw, x0, x1, top, bottom, 0, rows=rows, edges=edges, raw=raw))
    return tables, words


def _cell_of(word: Word, boxes: Sequence[Sequence[Any]], bbox: tuple[float, ...]) -> tuple[int, int] | None:
    x, y = (word.x0 + word.x1) / 2, (word.top + word.bottom) / 2
    if not (bbox[0] <= x <= bbox[2] and bbox[1] <= y <= bbox[3]):
        return None
    for row, cells in enumerate(boxes):
        for column, cell in enumerate(cells):
            if cell and cell[0] <= x <= cell[2] and cell[1] <= y <= cell[3]:
                return row, column
    return None


# 2. Words become pieces of lines.


def _pieces(words: list[Word]) -> list[Line]:
    """Returns runs of words on one height between which no wide gap is."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: (word.top + word.bottom, word.x0)):
        first = rows[-1][0] if rows else None
        overlap = min(word.bottom, first.bottom) - max(word.top, first.top) if first else 0
        if first and overlap > 0.5 * min(word.bottom - word.top, first.bottom - first.top):
            rows[-1].append(word)
        else:
            rows.append([word])
    runs: list[list[Word]] = []
    for row in rows:
        row.sort(key=lambda word: word.x0)
        runs.append(row[:1])
        for before, word in itertools.pairwise(row):
            wide = PIECE_GAP * max(word.size, before.size) * (2.5 if word.mono and before.mono else 1)
            if word.x0 - before.x1 < wide:
                runs[-1].append(word)
            else:
                runs.append([word])
    return [_piece(run) for run in runs]


def _piece(run: list[Word]) -> Line:
    run = sorted(run, key=lambda word: word.x0)
    mono = all(word.mono for word in run)
    parts = [run[0].text]
    for before, word in itertools.pairwise(run):
        gap = word.x0 - before.x1
        if mono and len(word.text):
            advance = max((word.x1 - word.x0) / len(word.text), 1.0)
            parts.append(" " * max(round(gap / advance), 1 if gap > WORD_GAP * word.size else 0))
        elif gap > WORD_GAP * min(word.size, before.size) * 0.9:
            parts.append(" ")
        parts.append(word.text)
    sizes: dict[float, int] = {}
    for word in run:
        sizes[word.size] = sizes.get(word.size, 0) + len(word.text)
    size = max(sizes, key=lambda size: (sizes[size], size))
    return Line(
        "".join(parts), run[0].x0, max(word.x1 for word in run), min(word.top for word in run),
        max(word.bottom for word in run), size, all(word.bold for word in run), mono,
    )  # fmt: skip


# 3. Columns, one after another.


def _columns(pieces: list[Line], depth: int = 0) -> list[list[Line]]:
    """Returns the pieces column by column; what reaches across parts the columns above it from those below."""
    gutter = _gutter(pieces) if depth < 3 else None
    if gutter is None:
        return [pieces] if pieces else []
    across = sorted((piece for piece in pieces if piece.x0 < gutter < piece.x1), key=lambda piece: piece.top)
    beside = [piece for piece in pieces if not piece.x0 < gutter < piece.x1]
    found: list[list[Line]] = []
    for line in [*across, None]:
        above = [piece for piece in beside if line is None or piece.top < line.top]
        beside = [piece for piece in beside if line is not None and piece.top >= line.top]
        for side in ([p for p in above if p.x1 <= gutter], [p for p in above if p.x0 >= gutter]):
            found += _columns(side, depth + 1)
        if line is not None:
            found.append([line])
    return found


def _gutter(pieces: list[Line]) -> float | None:
    """Returns where two columns of prose are apart, or None where there is one."""
    if len(pieces) < 2 * MIN_SIDE:
        return None
    left, right = min(piece.x0 for piece in pieces), max(piece.x1 for piece in pieces)
    covered = [0] * (int(right - left) + 2)
    for piece in pieces:
        covered[int(piece.x0 - left)] += 1
        covered[int(piece.x1 - left) + 1] -= 1
    total, counts = 0, []
    for change in covered:
        total += change
        counts.append(total)
    least = MAX_CROSSING * len(pieces)
    best: tuple[float, float] | None = None
    start = None
    for x, count in enumerate([*counts, len(pieces)]):
        inside = count <= least and 0.2 * (right - left) < x < 0.8 * (right - left)
        if inside and start is None:
            start = x
        elif not inside and start is not None:
            for at in range(start, x):
                if x - start >= GUTTER and (best is None or counts[at] < best[0]):
                    best = (counts[at], left + (start + x) / 2 if counts[at] == counts[(start + x) // 2] else left + at + 0.5)
            start = None
    if best is None:
        return None
    gutter = best[1]
    for side in ([p for p in pieces if p.x1 <= gutter], [p for p in pieces if p.x0 >= gutter]):
        prose = [piece for piece in side if not piece.rows]
        if len(prose) < MIN_SIDE or sum(len(piece.text.split()) for piece in prose) < MIN_COLUMN_WORDS * len(prose):
            return None
    return gutter


# 4. Pieces on one height become lines.


def _lines(pieces: list[Line]) -> list[Line]:
    """Returns the lines of one column from top to bottom; a line keeps the pieces that it is made of."""
    groups: list[list[Line]] = []
    for piece in sorted(pieces, key=lambda piece: ((piece.top + piece.bottom) / 2, piece.x0)):
        last = groups[-1][-1] if groups else None
        overlap = min(piece.bottom, last.bottom) - max(piece.top, last.top) if last else 0
        if last and not piece.rows and not last.rows and overlap > 0.5 * min(piece.bottom - piece.top, last.bottom - last.top):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return [group[0] if len(group) == 1 else _joined(group) for group in groups]


def _joined(group: list[Line]) -> Line:
    group = sorted(group, key=lambda piece: piece.x0)
    longest = max(group, key=lambda piece: len(piece.text))
    mono = all(piece.mono for piece in group)
    return Line(
        ("  " if mono else " ").join(piece.text for piece in group), group[0].x0, max(piece.x1 for piece in group),
        min(piece.top for piece in group), max(piece.bottom for piece in group), longest.size,
        all(piece.bold for piece in group), mono, tuple((piece.x0, piece.x1, piece.text) for piece in group),
    )  # fmt: skip
