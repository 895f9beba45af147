"""Sanitized Markdown: shows what documents and language models wrote as text, and runs, loads and draws nothing of it."""

from __future__ import annotations

import functools
import re

from markdown_it import MarkdownIt

from finetrieve.core.html import clean

_LESS = "&lt;"
# On one line, without a bar (which may end a table's cell) and not opened by an escaped backtick: what might not be code is not.
_CODE_SPAN = re.compile(r"(?<![`\\])(`+)(?!`)([^\n|]+?)(?<!`)\1(?!`)")
_IMAGE = re.compile(r"!(?=\[)")


def sanitize_markdown(text: str) -> str:
    """Returns Markdown that renders as the given one does, but shows HTML as text and an image as a link to it.

    Angle brackets outside code become entities; in code, renderers escape them themselves. Control characters and
    bidirectional overrides go.
    """
    shown = clean(text)
    if "<" not in shown and "![" not in shown:
        return shown
    raw = shown.split("\n")
    # The structure is that of the escaped text: without its HTML, a line that was code may be prose.
    escaped = [line.replace("<", _LESS) for line in raw]
    code = _code_lines("\n".join(escaped))
    written = "\n".join(line if number in code else _sanitize_line(line) for number, line in enumerate(raw))
    return written if _is_safe(written) else "\n".join(_IMAGE.sub("", line) for line in escaped)


def _is_safe(text: str) -> bool:
    """Returns whether a parser finds neither HTML nor an image in the text."""
    tokens = _parser().parse(text)
    found = {token.type for block in tokens for token in (block, *(block.children or ()))}
    return not found & {"html_block", "html_inline", "image"}


@functools.cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")


def _code_lines(text: str) -> set[int]:
    """Returns the 0-based lines of fenced and indented code blocks, fences included."""
    tokens = _parser().parse(text)
    ranges = [token.map for token in tokens if token.type in ("fence", "code_block") and token.map]
    return {line for start, end in ranges for line in range(start, end)}


def _sanitize_line(line: str) -> str:
    parts, position = [], 0
    for span in _CODE_SPAN.finditer(line):
        parts += [_sanitize_words(line[position : span.start()]), span.group()]
        position = span.end()
    return "".join([*parts, _sanitize_words(line[position:])])


def _sanitize_words(text: str) -> str:
    return _IMAGE.sub("", text).replace("<", _LESS)
