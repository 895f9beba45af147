"""An `llms-full.txt` (llmstxt.org): all pages of a site in one file, told apart again."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from finetrieve.corpus.parsing.cleaning import clean_markdown
from finetrieve.corpus.parsing.markdown import fenced_lines
from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.parsing.prose import plain_words
from finetrieve.corpus.parsing.removal import Removal

SOURCE_LINES = "addresses of the pages in an llms-full.txt"
_SOURCE = re.compile(r"\s*(?:source|url|link)\s*:\s*[\"'<]?(https?://[^\s\"'>]+)[\"'>]?\s*", re.IGNORECASE)
_FENCE = re.compile(r"-{3,}\s*")
_KEY = re.compile(r"(title|source|url|link|description)\s*:\s*(.*)", re.IGNORECASE)
HEAD_LINES = 12
"""Of a block of keys before a page."""


@dataclass(frozen=True, slots=True)
class FilePage:
    """A page in the file."""

    name: str
    """Made of its title, unique in the file."""
    address: str
    """Where it is on the site; empty where the file does not say."""
    text: str
    """Markdown, without the line that says its address."""
    removed: str = ""
    """That line."""

    def clean(self) -> CleanPage:
        """Returns its title and clean Markdown."""
        page = clean_markdown(self.text)
        if not self.removed:
            return page
        return replace(
            page, source=f"{page.source}\n{self.removed}", removals=(*page.removals, Removal(SOURCE_LINES, self.removed))
        )


def split_llms_full(text: str) -> list[FilePage]:
    """Returns the pages of a file in their order; one that has no marks between pages is one page.

    A page begins with a title and the line `Source: https://...` below it, with a block of keys between dashes, or with a
    heading of the first level, in this order of preference.
    """
    lines = text.split("\n")
    fenced = fenced_lines(lines)
    headings = [at for at, line in enumerate(lines) if line.startswith("# ") and not fenced[at]]
    sourced = [at for at in headings if _source_below(lines, at) is not None]
    blocks = [at for at, line in enumerate(lines) if not fenced[at] and _FENCE.fullmatch(line) and _block_end(lines, at)]
    starts = sourced or blocks or headings
    starts = [0, *starts] if not starts or any(line.strip() for line in lines[: starts[0]]) else starts
    names: set[str] = set()
    ends = [*starts[1:], len(lines)]
    return [_page(lines[start:end], names) for start, end in zip(starts, ends, strict=True) if "".join(lines[start:end]).strip()]


def _source_below(lines: list[str], heading: int) -> int | None:
    """Returns the line below a title that says the page's address."""
    below = (at for at in range(heading + 1, min(heading + 4, len(lines))) if lines[at].strip())
    at = next(below, None)
    return at if at is not None and _SOURCE.fullmatch(lines[at]) else None


def _block_end(lines: list[str], start: int) -> int:
    """Returns the line of dashes that ends a block of keys, 0 where there is none."""
    for at in range(start + 1, min(start + 1 + HEAD_LINES, len(lines))):
        if _FENCE.fullmatch(lines[at]):
            head = lines[start + 1 : at]
            return (
                at if any(_KEY.fullmatch(line) for line in head) and all(":" in line or not line.strip() for line in head) else 0
            )
    return 0


def _page(lines: list[str], names: set[str]) -> FilePage:
    address, removed, title = "", "", lines[0].lstrip("# ")
    at = _source_below(lines, 0) if lines[0].startswith("# ") else None
    end = _block_end(lines, 0) if _FENCE.fullmatch(lines[0]) else 0
    if at is not None:
        removed = lines[at]
        lines = [*lines[:at], *lines[at + 1 :]]
    elif end:
        keys = {
            key.lower(): value.strip("\"' ")
            for key, value in (match.groups() for match in map(_KEY.fullmatch, lines[1:end]) if match)
        }
        title = keys.get("title", "")
        address = next((keys[key] for key in ("source", "url", "link") if keys.get(key, "").startswith("http")), "")
        lines = ["---", *lines[1:end], "---", *lines[end + 1 :]]
    match = _SOURCE.fullmatch(removed)
    return FilePage(_unique(plain_words(title), names), match[1] if match else address, "\n".join(lines), removed)


def _unique(title: str, names: set[str]) -> str:
    base = re.sub(r"[^\w.]+", "-", title.lower()).strip("-.")[:80] or "page"
    name, number = base, 2
    while name in names:
        name, number = f"{base}-{number}", number + 1
    names.add(name)
    return name
