"""Sections of a clean page: what stands between one heading and the next, under the path of its headings."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from finetrieve.corpus.parsing.markdown import blocks
from finetrieve.corpus.parsing.prose import plain_words


@dataclass(frozen=True, slots=True)
class Section:
    """What stands between one heading and the next."""

    path: tuple[str, ...]
    """Headings from the outermost to this one, the document's title left out."""
    text: str


def sections(text: str, title: str) -> list[Section]:
    """Returns the sections of a Markdown text; a heading that repeats the title opens no level of its own.

    A heading with nothing below it is no section: its words stand at the end of the section before it under the same heading, or
    at the beginning of the next one.
    """
    lines = text.split("\n")
    found: list[Section] = []
    path: list[tuple[int, str]] = []
    waiting: list[str] = []
    said: set[str] = set()
    start = 0
    heading = ""

    def close(end: int, next_level: int) -> None:
        body = "\n".join(lines[start:end]).strip("\n")
        shown = tuple(words for _, words in path if words)
        if re.search(r"\w", body):
            own = [heading] if waiting and heading else []
            found.append(Section(shown, "\n\n".join([*waiting, *own, body])))
            waiting.clear()
        elif heading and path and next_level <= path[-1][0]:
            above = shown[:-1]
            # Headings above it that have no section either are said with it.
            unsaid = [
                f"{'#' * max(level, 2)} {words}"
                for level, words in path[:-1]
                if words and words not in said and not any(words in section.path for section in found)
            ]
            said.update(words for _, words in path)
            empty = "\n\n".join([*unsaid, heading])
            if found and not waiting and found[-1].path[: len(above) - len(unsaid)] == above[: len(above) - len(unsaid)]:
                found[-1] = replace(found[-1], text=f"{found[-1].text}\n\n{empty}")
            else:
                waiting.append(empty)

    for block in blocks(text):
        if block.kind != "heading":
            continue
        close(block.start, block.level)
        start = block.end
        words = plain_words(_heading_text(lines[block.start : block.end]))
        path = [(level, above) for level, above in path if level < block.level]
        path.append((block.level, "" if _same_words(words, title) else words))
        heading = f"{'#' * max(block.level, 2)} {words}" if path[-1][1] else ""
    close(len(lines), 0)
    return [*found, *([Section((), "\n\n".join(waiting))] if waiting else [])]


def _heading_text(lines: list[str]) -> str:
    if len(lines) > 1 and re.fullmatch(r"\s*(?:=+|-+)\s*", lines[-1]):
        lines = lines[:-1]
    return re.sub(r"^\s*#{1,6}(?:\s+|$)|\s+#+\s*$", "", " ".join(lines))


def _same_words(left: str, right: str) -> bool:
    return re.findall(r"\w+", left.lower()) == re.findall(r"\w+", right.lower())
