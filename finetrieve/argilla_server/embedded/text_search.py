"""Text search: the query language of the search box, and the SQL function that scores a record's fields.

The language is Elasticsearch's `simple_query_string`, which Argilla's UI and SDK promise: words are joined by AND, `|` is OR,
`-` is NOT, `"..."` a phrase, `word*` a prefix, and parentheses group. Imports only the standard library.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

_TOKENS = re.compile(r'\\(?P<escaped>.)|"(?P<phrase>[^"]*)"(?:~\d+)?|(?P<operator>[()|+])|(?P<word>(?:\\.|[^\s()|"])+)|\s+', re.S)
_WORDS = re.compile(r"[^\W_]+")
# Scripts that are written without spaces between words: a part of a run is a word there.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_SATURATION = 1.2
_ENOUGH = 20
_DEEPEST = 30


@dataclass(frozen=True)
class Term:
    """Words that stand next to each other, or a sign such as an emoji.

    Attributes:
        first: The first of them.
        pattern: All of them, with what may stand between, before and after.
    """

    first: str
    pattern: re.Pattern[str]

    def score(self, text: str) -> float:
        """Returns how well the text has it, 0..1; 0 is not at all. More often is better, with diminishing returns."""
        found = sum(1 for _ in itertools.islice(self.pattern.finditer(text), _ENOUGH))
        return found / (found + _SATURATION)


@dataclass(frozen=True)
class Not:
    """What must not be there."""

    part: Node

    def score(self, text: str) -> float:
        """Returns 1 when the part is not there, else 0."""
        return 0.0 if self.part.score(text) else 1.0


@dataclass(frozen=True)
class All:
    """Parts that must all be there."""

    parts: tuple[Node, ...]

    def score(self, text: str) -> float:
        """Returns the mean score of the parts, or 0 when one is missing."""
        total = 0.0
        for part in self.parts:
            score = part.score(text)
            if not score:
                return 0.0
            total += score
        return total / len(self.parts)


@dataclass(frozen=True)
class Some:
    """Parts of which one must be there."""

    parts: tuple[Node, ...]

    def score(self, text: str) -> float:
        """Returns the mean score of the parts."""
        return sum(part.score(text) for part in self.parts) / len(self.parts)


Node = Term | Not | All | Some


@functools.lru_cache(maxsize=256)
def parse(query: str) -> Node | None:
    """Returns the query as a tree, or None when nothing is asked for. Never fails: what makes no sense is taken as words."""
    return _Parser(query.lower()).parse()


def register(connection: Any, _record: Any = None) -> None:
    """Gives a database connection the function `text_score(fields, query, names)`."""
    connection.create_function("text_score", 3, text_score, deterministic=True)


def text_score(fields: str, query: str, names: str) -> float:
    """Returns how well a record's fields answer a query; 0 is not at all.

    Args:
        fields: The record's fields as JSON.
        query: What was typed.
        names: The names of the fields that are searched, as a JSON list.
    """
    tree = parse(query)
    if tree is None:
        return 0.0
    raw = _unescaped(fields.lower())
    if raw is not None and not _may_match(tree, raw):
        return 0.0
    return tree.score(searched_text(fields, names))


def searched_text(fields: str, names: str) -> str:
    """Returns the text of the named fields in lower case: strings, the messages of a chat, the values of a custom field."""
    values = json.loads(fields)
    return "\n\n".join(_flat(values.get(name)) for name in _names(names)).lower()


@functools.lru_cache(maxsize=256)
def _names(names: str) -> tuple[str, ...]:
    return tuple(json.loads(names))


def _flat(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "\n".join(_flat(part) for part in value.values())
    if isinstance(value, list):
        return "\n".join(_flat(part) for part in value)
    return "" if value is None else str(value)


def _unescaped(raw: str) -> str | None:
    """Returns JSON with its usual escapes made spaces: words stand in it as in the text. None where it has other escapes."""
    if "\\" not in raw:
        return raw
    if "\\u" in raw or "\\\\" in raw:
        return None
    for escape in ("\\n", '\\"', "\\t", "\\r"):
        raw = raw.replace(escape, " ")
    return None if "\\" in raw else raw


def _may_match(node: Node, raw: str) -> bool:
    """Returns False when the raw JSON shows that the fields cannot match: cheap, and true for most records."""
    if isinstance(node, Term):
        return not node.first.isalnum() or node.pattern.search(raw) is not None
    if isinstance(node, Not):
        return True
    check: Callable[[Iterable[bool]], bool] = all if isinstance(node, All) else any
    return check(_may_match(part, raw) for part in node.parts)


class _Parser:
    """Recursive descent over the tokens: alternatives of sequences of parts."""

    def __init__(self, query: str) -> None:
        self.tokens = [(match.lastgroup, match) for match in _TOKENS.finditer(query) if match.lastgroup]
        self.position = self.depth = 0

    def parse(self) -> Node | None:
        """Returns the whole query."""
        parts = []
        while self.position < len(self.tokens):
            node = self._alternatives()
            if node is not None:
                parts.append(node)
            self.position += 1  # a parenthesis that closes nothing
        return _join(All, parts)

    def _alternatives(self) -> Node | None:
        choices = [self._sequence()]
        while self._operator("|"):
            choices.append(self._sequence())
        return _join(Some, [choice for choice in choices if choice is not None])

    def _sequence(self) -> Node | None:
        parts: list[Node] = []
        while self.position < len(self.tokens):
            kind, match = self.tokens[self.position]
            if kind == "operator" and match.group() in "|)":
                break
            self.position += 1
            node = self._part(kind, match)
            if node is not None:
                parts.append(node)
        return _join(All, parts)

    def _part(self, kind: str | None, match: re.Match[str]) -> Node | None:
        if kind == "operator":
            return self._group() if match.group() == "(" else None
        if kind == "phrase":
            return _term(match["phrase"], phrase=True)
        word = match.group()
        if word.startswith("-") and len(word) > 1:
            node = _term(word[1:])
            return Not(node) if node else None
        if word == "-" and self.position < len(self.tokens) and self._touches(match):
            kind, match = self.tokens[self.position]
            self.position += 1
            node = self._part(kind, match)
            return Not(node) if node else None
        return _term(word.removeprefix("+"))

    def _touches(self, match: re.Match[str]) -> bool:
        return self.tokens[self.position][1].start() == match.end()

    def _group(self) -> Node | None:
        if self.depth == _DEEPEST:
            return None
        self.depth += 1
        node = self._alternatives()
        self.depth -= 1
        self._operator(")")
        return node

    def _operator(self, sign: str) -> bool:
        if self.position >= len(self.tokens):
            return False
        kind, match = self.tokens[self.position]
        if kind != "operator" or match.group() != sign:
            return False
        self.position += 1
        return True


def _join(kind: type[All] | type[Some], parts: list[Node]) -> Node | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return kind(tuple(parts))


def _term(word: str, phrase: bool = False) -> Node | None:
    """Returns what a word asks for: the words in it, wherever they stand, or as they stand for a phrase.

    A term without letters or digits, such as an emoji, is searched as it is.
    """
    plain = word if phrase else re.sub(r"\\(.)", r"\1", word)
    prefix = plain.endswith("*") and not phrase
    plain = plain if phrase else re.sub(r"~\d*$", "", plain.rstrip("*"))
    words = _WORDS.findall(plain)
    if not words:
        return Term(plain.strip(), re.compile(re.escape(plain.strip()))) if plain.strip() else None
    if phrase:
        return _phrase(words, prefix=False)
    return _join(All, [_phrase([part], prefix and number == len(words)) for number, part in enumerate(words, start=1)])


def _phrase(words: list[str], prefix: bool) -> Term:
    first, rest = re.escape(words[0]), "".join(rf"[\W_]+{re.escape(word)}" for word in words[1:])
    # No letter before it. Looked for after it, since only a pattern that begins with a literal jumps to the next occurrence.
    before = "" if _UNSPACED.match(words[0][0]) else rf"(?<![^\W_]{first})"
    after = "" if prefix or _UNSPACED.match(words[-1][-1]) else r"(?![^\W_])"
    return Term(words[0], re.compile(first + before + rest + after))
