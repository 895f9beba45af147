"""Headers of wide tables, shortened so that each piece of the table can name its columns."""

from __future__ import annotations

import re
from collections.abc import Callable

CELL_CHARACTERS = (40, 24, 16, 10, 6, 3)
"""To which each cell is shortened, one after the other until the header fits."""


def short_header(header: str, limit: int, count: Callable[[list[str]], list[int]]) -> tuple[list[str], int]:
    """Returns a header's two lines with as much of each cell as fits, and their tokens; nothing where the columns are too many.

    Args:
        header: The first line of a Markdown table.
        limit: Tokens.
        count: Counts the tokens of texts.
    """
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", header.strip().strip("|"))]
    shared = set.intersection(*(set(cell.split()) for cell in cells)) if len(cells) > 1 else set()
    # Of "heading number 1 of the table" and "heading number 2 of the table" the number tells the columns apart.
    telling = [" ".join(word for word in cell.split() if word not in shared) or cell for cell in cells]
    rule = "|".join(["", *["-"] * len(cells), ""])
    for length in CELL_CHARACTERS:
        short = [cell if len(cell) <= length else _shortened(own, length) for cell, own in zip(cells, telling, strict=True)]
        lines = [f"| {' | '.join(short)} |", rule]
        (size,) = count(["\n".join(lines)])
        if size <= limit:
            return lines, size
    return [], 0


def _shortened(cell: str, length: int) -> str:
    """Returns as many words of a heading as fit, or the beginning of the first."""
    kept = cell[: length + 1].rpartition(" ")[0] if len(cell) > length else cell
    return kept or cell[:length]
