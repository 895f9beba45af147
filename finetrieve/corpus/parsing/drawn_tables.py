"""Tables drawn with lines, as terminals print them: the frames go and the words of the cells stay, a row a line."""

from __future__ import annotations

import re

from finetrieve.corpus.parsing.removal import IDENTIFIERS, Removals

BOX = re.compile(r"[\u2500-\u259f]")
FRAME_LINE = re.compile(r"^[\s\u2500-\u259f+=|\-]*$")
CELL_BORDER = re.compile(r"[\u2502\u2503\u2551\u2575-\u257b]")
ASCII_FRAME = re.compile(r"^\s*\+(?:[-=]+\+)+\s*$")
HASH = re.compile(r"(?=.*\d)[0-9a-fA-F-]{4,}")
"""A cell with a UUID or a part of one carries no words."""


def without_frames(text: str, removals: Removals) -> str:
    """Returns the text with drawn frames gone and the words of their cells kept, a row a line: `TYPE | aws`."""
    if not BOX.search(text) and "+--" not in text and "+==" not in text:
        return text
    kept: list[str] = []
    after_frame = False
    for line in text.split("\n"):
        if ASCII_FRAME.match(line) or (BOX.search(line) and FRAME_LINE.match(line)):
            after_frame = True
            continue
        if after_frame and not line.strip():
            continue  # Copied terminals have an empty line between the lines of a table.
        if BOX.search(line):
            after_frame = True
            line = _cells(line, removals)
            if not line or (kept and kept[-1] == line):
                continue
        else:
            after_frame = False
        kept.append(line)
    return "\n".join(kept)


def _cells(line: str, removals: Removals) -> str:
    if not CELL_BORDER.search(line):
        # A directory tree: its branches become spaces, so that the names stay where they were.
        return BOX.sub(" ", line).rstrip()
    cells = [" ".join(BOX.sub(" ", cell).split()) for cell in CELL_BORDER.split(line)]
    for cell in cells:
        if HASH.fullmatch(cell):
            removals.add(IDENTIFIERS, cell)
    shown = ["" if HASH.fullmatch(cell) else cell for cell in (cells[1:-1] if not cells[0] and not cells[-1] else cells)]
    while shown and not shown[-1]:
        shown.pop()
    return " | ".join(shown)
