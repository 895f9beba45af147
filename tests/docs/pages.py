"""The pages of the documentation, and what stands in them: links, headings, code blocks, commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A code block."""

    page: str
    language: str
    code: str


def blocks(*languages: str) -> list[Block]:
    """Returns the code blocks of all pages in one of the languages."""
    found = [Block(page.name, *match.groups()) for page in PAGES for match in _BLOCK.finditer(page.read_text(encoding="utf-8"))]
    return [block for block in found if block.language in languages]


def prose(page: Path) -> str:
    """Returns a page without its code blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> list[str]:
    """Returns where the page's links and pictures lead, those to other sites left out."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [link for link in found if not re.match(r"https?:|mailto:", link)]


def anchors(page: Path) -> set[str]:
    """Returns the anchors that GitHub gives the page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> list[list[str]]:
    """Returns the commands of all console blocks and of the prose, as words."""
    return [shlex.split(line, comments=True) for line in sorted({*_console_lines(), *_inline_commands()})]


def _console_lines() -> Iterator[str]:
    for block in blocks("console", "bash"):
        for line in block.code.replace("\\\n", " ").splitlines():
            yield from (part.strip() for part in line.split("#")[0].split("&&") if part.strip())


def _inline_commands() -> Iterator[str]:
    for page in PAGES:
        text = " ".join(prose(page).split())
        yield from re.findall(r"`((?:python|make|pip|finetrieve) [^`]+)`", text)
