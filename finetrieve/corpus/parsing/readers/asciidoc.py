"""AsciiDoc files as pages: what they include and what their conditions let through, then their blocks as HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from finetrieve.corpus.parsing.encoding import decode
from finetrieve.corpus.parsing.formats import html_page
from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.parsing.readers.asciidoc_blocks import BlockWriter
from finetrieve.corpus.parsing.readers.asciidoc_lines import ATTRIBUTE
from finetrieve.corpus.parsing.readers.base import FileReader
from finetrieve.corpus.parsing.removal import CONDITIONS, TARGETS, Removals

INCLUDE = re.compile(r"^include::([^\[\]]+)\[(.*)\]\s*$")
CONDITION = re.compile(r"^(ifdef|ifndef|ifeval|endif)::([^\[\]]*)\[(.*)\]\s*$")
REFERENCE = re.compile(r"\{([\w][\w-]*)\}")
VERBATIM = re.compile(r"^(-{4,}|\.{4,}|/{4,}|\+{4,}|`{3,}.*)$")
TAG = re.compile(r"\b(tag|end)::([\w.-]+)\[\]")
MAX_DEPTH = 16
MAX_CHARACTERS = 20_000_000
"""Of a page with all that it includes: files that include each other would grow without end."""
BUILT_IN = {
    "backend": "html5", "backend-html5": "", "basebackend": "html", "nbsp": "\u00a0", "zwsp": "", "empty": "", "sp": " ",
    "apos": "'", "quot": '"', "amp": "&", "lt": "<", "gt": ">", "plus": "+", "vbar": "|", "asterisk": "*", "tilde": "~",
    "backtick": "`", "cpp": "C++", "startsb": "[", "endsb": "]", "two-colons": "::", "two-semicolons": ";;", "caret": "^",
    "deg": "°", "lsquo": "‘", "rsquo": "’", "ldquo": "“", "rdquo": "”", "brvbar": "¦", "backslash": "\\",
}  # fmt: skip


class AsciiDocReader(FileReader):
    """AsciiDoc files."""

    name: ClassVar[str] = "asciidoc"
    description: ClassVar[str] = "AsciiDoc files, with what they include from the folder"
    suffixes: ClassVar[tuple[str, ...]] = (".adoc", ".asciidoc", ".asc")

    def read(self, path: Path, root: Path) -> CleanPage:
        """Returns the page; what lies outside of the folder is not included, and said."""
        expansion = _Expansion(root.resolve())
        lines = list(expansion.lines(path.resolve(), decode(path.read_bytes())))
        removals = expansion.removals
        writer = BlockWriter(lines, expansion.attributes, removals)
        page = html_page(f"<html><body>{writer.html()}</body></html>", removals, whole=True)
        source = "\n".join([*lines, *expansion.left_out])
        return replace(page, source=source, removals=tuple(removals.found), unread=tuple(expansion.unread))


class _Expansion:
    """Puts included files in their places and leaves out what conditions leave out, as AsciiDoc does before it reads blocks."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._size = 0
        self.attributes = dict(BUILT_IN)
        self.removals = Removals()
        self.left_out: list[str] = []
        """Lines that are read and go nowhere; each has its removal."""
        self.unread: list[str] = []

    def lines(self, path: Path, text: str, depth: int = 0, offset: int = 0) -> Iterator[str]:
        """Yields the lines of a file with what it includes."""
        self._size += len(text)
        if self._size > MAX_CHARACTERS:
            raise ValueError(f"with what it includes it is longer than {MAX_CHARACTERS:,} characters")
        conditions: list[bool] = []
        fence = ""
        for line in text.split("\n"):
            if match := CONDITION.match(line):
                kept = self._condition(match, conditions)
                self._drop(CONDITIONS, line if kept is None else line.replace(kept, "", 1))
                if kept:
                    yield kept
                continue
            if not all(conditions):
                self._drop(CONDITIONS, line)
                continue
            if match := INCLUDE.match(line):
                yield from self._included(path, match, depth)
                continue
            if VERBATIM.match(line) and (not fence or line.rstrip() == fence):
                fence = "" if fence else ("```" if line.startswith("```") else line.rstrip())
            elif not fence and (match := ATTRIBUTE.match(line)):
                self._set(match)
            elif not fence and offset and (match := re.match(r"^(={1,6})(?=\s)", line)):
                line = "=" * max(1, min(len(match[1]) + offset, 6)) + line[match.end() :]
            yield line

    def _drop(self, reason: str, text: str) -> None:
        self.left_out.append(text)
        self.removals.add(reason, text)

    def _set(self, match: re.Match[str]) -> None:
        """Sets an attribute that a condition or the name of a file may ask for."""
        name = match[1].strip("!")
        if "!" in match[1]:
            self.attributes.pop(name, None)
        else:
            self.attributes[name] = self.resolved(match[2] or "")

    def resolved(self, text: str) -> str:
        """Returns a text with the attributes that are known by their values."""
        return REFERENCE.sub(lambda match: self.attributes.get(match[1], match[0]), text)

    def _condition(self, match: re.Match[str], conditions: list[bool]) -> str | None:
        """Opens or closes a condition; returns the text that one of a single line lets through."""
        kind, names, inside = match.groups()
        if kind == "endif":
            if conditions:
                conditions.pop()
            return None
        if kind == "ifeval":
            conditions.append(self._holds(inside))
            return None
        known = [name.strip() in self.attributes for name in re.split(r"[,+]", names)]
        defined = all(known) if "+" in names else any(known)
        holds = defined if kind == "ifdef" else not defined
        if inside:
            return inside if holds and all(conditions) else None
        conditions.append(holds)
        return None

    def _holds(self, expression: str) -> bool:
        match = re.match(r"^\s*[\"']?(.*?)[\"']?\s*(==|!=|<=|>=|<|>)\s*[\"']?(.*?)[\"']?\s*$", self.resolved(expression))
        if not match:
            return True
        left, right = match[1], match[3]
        if match[2] in ("==", "!="):
            return (left == right) == (match[2] == "==")
        try:
            first, second = float(left), float(right)
        except ValueError:
            return True
        return {"<": first < second, ">": first > second, "<=": first <= second, ">=": first >= second}[match[2]]

    def _included(self, path: Path, match: re.Match[str], depth: int) -> Iterator[str]:
        name, options = self.resolved(match[1]).strip(), self.resolved(match[2])
        self._drop(TARGETS, match[0])
        target = (path.parent / name).resolve() if "://" not in name else None
        if target is None or not target.is_relative_to(self._root) or not target.is_file():
            why = "lies outside of the folder" if target is None or not target.is_relative_to(self._root) else "is not there"
            if "optional" not in options:
                self.unread.append(f"includes '{name}', which {why}")
            return
        if depth >= MAX_DEPTH:
            self.unread.append(f"includes '{name}' {MAX_DEPTH} files deep, which was not followed")
            return
        text = _selected(decode(target.read_bytes()), options)
        if target.suffix.lower() not in AsciiDocReader.suffixes:
            self._size += len(text)
            yield from text.split("\n")
            return
        moved = re.search(r"leveloffset=([+-]?\d)", options)
        yield from self.lines(target, text.strip("\n"), depth + 1, int(moved[1]) if moved else 0)


def _selected(text: str, options: str) -> str:
    """Returns the lines of an included file that `tag` or `lines` choose; the marks of tags are left out."""
    lines = text.split("\n")
    if match := re.search(r"\btags?=\"?([^,\"\]]+)", options):
        wanted = {name.strip() for name in re.split(r"[;,]", match[1])}
        open_tags: list[str] = []
        kept = []
        for line in lines:
            if mark := TAG.search(line):
                if mark[1] == "tag":
                    open_tags.append(mark[2])
                elif mark[2] in open_tags:
                    open_tags.remove(mark[2])
            elif wanted & {"*", "**"} or wanted & set(open_tags):
                kept.append(line)
        return "\n".join(kept)
    if match := re.search(r"\blines=\"?([\d.;,\-]+)", options):
        numbers: set[int] = set()
        for part in re.split(r"[;,]", match[1]):
            first, _, last = part.partition("..")
            if first.isdecimal():
                end = int(last) if last.isdecimal() else len(lines) if ".." in part else int(first)
                numbers |= set(range(int(first), min(end, len(lines)) + 1))
        lines = [line for at, line in enumerate(lines, 1) if at in numbers]
    return "\n".join(line for line in lines if not TAG.search(line))
