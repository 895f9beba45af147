"""Runs without words in documents, which no question asks for: encoded files, certificates, minified code."""

from __future__ import annotations

import re

import regex

LONGEST_WORD = 200
"""Characters without a space: words, identifiers and addresses that people read are shorter."""
LONGEST_QUOTED_ADDRESS = 2_000
FEWEST_LINES, LINE_CHARACTERS = 3, 40
"""So many lines in a row of so many encoded characters each are one encoded file."""
MINIFIED_LINE, MINIFIED_SPACES = 500, 0.06
"""A line of code so long with so small a share of spaces was not written for people."""
_PEM = re.compile(r"(-----BEGIN [A-Z0-9 ]+-----)(?:(?!-----).){64,}?(-----END [A-Z0-9 ]+-----)", re.DOTALL)
_LONG_RUN = re.compile(rf"\S{{{LONGEST_WORD},}}")
_ENCODED_LINES = re.compile(
    rf"(?:^[ \t>|]*(?=[A-Za-z+/=_-]*\d)[A-Za-z0-9+/=_-]{{{LINE_CHARACTERS},}}[ \t]*(?:\n|\Z)){{{FEWEST_LINES},}}"
    r"(?:^[ \t>|]*[A-Za-z0-9+/]+={0,2}[ \t]*(?:\n|\Z))?",
    re.MULTILINE,
)
_DATA_ADDRESS = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/=_%-]+")
_MINIFIED = re.compile(rf"^.{{{MINIFIED_LINE},}}$", re.MULTILINE)
_CODE_SIGNS = re.compile(r"[{}()=<>\[\]]")
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Hangul}]")


def without_wordless_runs(text: str) -> str:
    """Returns a text without its runs of encoded or minified characters; what stands around them stays."""
    if len(text) < LINE_CHARACTERS * FEWEST_LINES:
        return text
    text = _PEM.sub(r"\1 \2", text)
    text = _DATA_ADDRESS.sub("", text)
    text = _ENCODED_LINES.sub("\n", text)
    text = _MINIFIED.sub(lambda match: "" if _is_minified(match[0]) else match[0], text)
    return _LONG_RUN.sub(lambda match: match[0] if _is_readable(match[0]) else "", text)


def _is_minified(line: str) -> bool:
    spaces, signs = line.count(" ") / len(line), len(_CODE_SIGNS.findall(line)) / len(line)
    return spaces < MINIFIED_SPACES and signs > MINIFIED_SPACES and not _UNSPACED.search(line)


def _is_readable(run: str) -> bool:
    """Whether a long run is one that people read: a script without spaces, a table or list without spaces, or a long address."""
    if not re.search(r"[^\W_]", run):  # a line below a table's header
        return True
    if len(_UNSPACED.findall(run[:LONGEST_WORD])) > LONGEST_WORD / 10:
        return True
    if "://" in run and len(run) < LONGEST_QUOTED_ADDRESS:
        return True
    parts = re.split(r"[^\w+/=-]+", run)
    if max(map(len, parts)) >= LONGEST_WORD:
        return False
    return len(run) < MINIFIED_LINE or not _is_minified(run)
