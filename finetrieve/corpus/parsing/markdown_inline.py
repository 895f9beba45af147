"""Lines of Markdown as text: links become their words, pictures what is said of them, code keeps every character."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from markdown_it.token import Token

from finetrieve.corpus.parsing.prose import BARE_URL, WORD, heading_words, says_something, short_url
from finetrieve.corpus.parsing.removal import MARKS, PICTURES, TAGS, TARGETS, Removals

ALERT = re.compile(r"^\[!([\w-]+)\][+-]?[ \t]*")
ROLE = re.compile(r"\{((?:[\w-]+:)*[\w-]+)\}$")
"""What stands before the backticks of a MyST role."""
ROLE_TARGET = re.compile(r"^(.*?)\s*<[^<>]*>$", re.DOTALL)
PLAIN_ROLES = {
    "ref", "doc", "term", "numref", "any", "abbr", "guilabel", "menuselection", "pep", "rfc", "download", "dfn", "eq",
    "sub", "sup",
}  # fmt: skip
ATTRIBUTES = re.compile(
    r"(?<=\S)\{:?(?:\s*(?:[.#][\w-]+|[\w-]+=(?:\"[^\"]*\"|'[^']*'|[^\s{}\"']+)))+\s*\}|^\{:(?:\s*(?:[.#][\w-]+|[\w-]+=\S+))+\s*\}$"
)
ICON = re.compile(r":(?:material|octicons|fontawesome|simple|lucide|mdi)-[a-z0-9-]+:")
EMPHASIS = {"em_open", "em_close", "strong_open", "strong_close", "s_open", "s_close"}


@dataclass(slots=True)
class InlineWriter:
    """Writes the children of one inline token."""

    removals: Removals
    unwrap: bool
    heading: bool = False
    in_cell: bool = False
    """Whether it is a cell of a table, where a picture may be all that is said."""
    n_links: int = 0
    words_in_links: int = 0
    words_beside: int = 0
    beside: str = ""
    """The text outside of links."""
    _parts: list[str] = field(default_factory=list)
    _hrefs: list[str] = field(default_factory=list)
    _role: str = ""
    """Of MyST, for the code that follows."""

    def write(self, children: list[Token]) -> str:
        """Returns the line, or the lines where breaks are meant."""
        for index, token in enumerate(children):
            self._write(token, children[index + 1] if index + 1 < len(children) else None)
        text = "".join(self._parts)
        text = ATTRIBUTES.sub(self._drop_attributes, text) if "{" in text else text
        if self.heading:
            words = heading_words(text)
            self._note_difference(text, words)
            return words
        text = "\n".join(_tidy(line) for line in text.split("\n"))
        return text.strip() if re.search(r"[^\s*_|>#~]", text) else ""

    def _write(self, token: Token, following: Token | None) -> None:
        kind = token.type
        if kind in ("text", "text_special"):
            self._text(token.content, following)
        elif kind == "code_inline":
            self._code(token)
        elif kind in EMPHASIS:
            if not self.heading:
                self._parts.append(token.markup)
        elif kind == "link_open":
            self._hrefs.append(str(token.attrs.get("href", "")))
            self.n_links += 1
            self.removals.add(TARGETS, f"{token.attrs.get('href', '')} {token.attrs.get('title', '')}")
        elif kind == "link_close":
            if self._hrefs:
                self._hrefs.pop()
        elif kind == "image":
            self._image(token)
        elif kind == "softbreak":
            self._parts.append(" " if self.heading or (self.unwrap and not self._in_drawn_table(following)) else "\n")
        elif kind == "hardbreak":
            self._parts.append(" " if self.heading else "\n")
        else:
            self._count(token.content)
            self._parts.append(token.content)

    def _text(self, text: str, following: Token | None) -> None:
        if not self._parts and text.startswith("[!") and (match := ALERT.match(text)):
            self.removals.add(MARKS, match[0])
            rest = text[match.end() :].strip()
            self._parts.append(f"**{rest}**\n" if rest else "")
            self._count(rest)
            return
        if following is not None and following.type == "code_inline" and text.endswith("}") and (match := ROLE.search(text)):
            text, self._role = text[: match.start()], match[1].lower()
        if "://" in text:
            text = BARE_URL.sub(self._shorten, text)
        if ":" in text:
            text = ICON.sub(self._drop_attributes, text)
        text = text.replace("\u00a0", " ").replace("\u200b", "")
        self._count(text)
        self._parts.append(text)

    def _code(self, token: Token) -> None:
        words = token.content
        if self._role:
            match = ROLE_TARGET.match(words)
            words = (match[1] if match and match[1] else words).lstrip("!~")
            self.removals.add(MARKS, f"{self._role} {token.content.replace(words, '', 1)}")
        self._count(words)
        plain = self._role.split(":")[-1] in PLAIN_ROLES
        self._parts.append(words if plain else f"{token.markup}{_padded(words)}{token.markup}")
        self._role = ""

    def _image(self, token: Token) -> None:
        words = " ".join(InlineWriter(self.removals, True, True).write(token.children or []).split())
        source, title = str(token.attrs.get("src", "")), str(token.attrs.get("title", "") or "")
        self.removals.add(TARGETS, source)
        kept = [part for part in dict.fromkeys((words, title)) if says_something(part, "" if part == title else source)]
        if not kept and self.in_cell and not any(part.strip() for part in self._parts):
            kept = [words] if words else []
        self.removals.add(PICTURES, " ".join(part for part in (words, title) if part not in kept))
        self._count(" ".join(kept))
        self._parts.append(" ".join(kept))

    def _in_drawn_table(self, following: Token | None) -> bool:
        before = "".join(self._parts[-4:]).rsplit("\n", 1)[-1]
        return " | " in before or before.endswith("|") or (following is not None and " | " in following.content)

    def _count(self, text: str) -> None:
        if self._hrefs:
            self.words_in_links += len(WORD.findall(text))
        else:
            self.words_beside += len(WORD.findall(text))
            self.beside += text

    def _shorten(self, match: re.Match[str]) -> str:
        shown = short_url(match[1])
        self._note_difference(match[0], shown, TARGETS)
        return shown

    def _drop_attributes(self, match: re.Match[str]) -> str:
        self.removals.add(TAGS, match[0])
        return ""

    def _note_difference(self, before: str, after: str, reason: str = MARKS) -> None:
        if before != after:
            self.removals.add(reason, " ".join((Counter(WORD.findall(before)) - Counter(WORD.findall(after))).elements()))


def _padded(code: str) -> str:
    return f" {code} " if code.startswith("`") or code.endswith("`") else code


def _tidy(line: str) -> str:
    line = re.sub(r"\*\*\*\*+|\*\*([ \t]*)\*\*", r"\1", line) if "**" in line else line
    return re.sub(r"[ \t]{3,}", " ", line.rstrip())
