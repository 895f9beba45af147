"""What stands in a line of AsciiDoc as HTML: attributes, marks of emphasis and code, links, cross references and other macros."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping

from finetrieve.corpus.parsing.removal import MARKS, TARGETS, Removals

REFERENCE = re.compile(r"(?<!\\)\{([\w][\w-]*)\}")
PASS = re.compile(
    r"\+\+\+(.+?)\+\+\+|\$\$(.+?)\$\$|pass:[a-z,]*\[(.*?)(?<!\\)\]|(?<![\w`+])\+(\S(?:.*?\S)?)\+(?![\w`+])", re.DOTALL
)
CODE = re.compile(r"``(.+?)``|(?<![\w`\\])`(\S|\S.*?\S)`(?![\w`])", re.DOTALL)
BRACKETS = r"\[((?:[^\]\\\[]|\\.|\[[^\]\[]*\])*)\]"
MACRO = re.compile(
    rf"(?<![\w\\:/])(link|xref|image|kbd|btn|menu|footnote|footnoteref|anchor|icon|stem|latexmath|asciimath|indexterm2?|mailto|[a-z][\w-]{{2,}}):([^\s:\[\]]\S*?)?{BRACKETS}"
)
URL = re.compile(rf"(?<![\w\"':])((?:https?|ftp|irc)://[^\s\[\]<>\x00]+){BRACKETS}")
ANGLED = re.compile(r"&lt;&lt;([^&,]+?)(?:,\s*(.*?))?&gt;&gt;", re.DOTALL)
ANCHOR = re.compile(r"\[\[([\w:.-]+)(?:,\s*([^\]]*))?\]\]")
ROLE = re.compile(r"\[((?:[.#%][\w.#%-]+)|(?:[a-z][\w -]*))\](?=[#*_`])")
INDEX = re.compile(r"\(\(\((.+?)\)\)\)")
SHOWN_INDEX = re.compile(r"\(\((.+?)\)\)")
MARKED = (
    (re.compile(r"\*\*(.+?)\*\*", re.DOTALL), "strong"),
    (re.compile(r"(?<![\w*\\])\*(\S|\S.*?\S)\*(?![\w*])", re.DOTALL), "strong"),
    (re.compile(r"__(.+?)__", re.DOTALL), "em"),
    (re.compile(r"(?<![\w_\\])_(\S|\S.*?\S)_(?![\w_])", re.DOTALL), "em"),
    (re.compile(r"##(.+?)##", re.DOTALL), "mark"),
    (re.compile(r"(?<![\w#&\\])#(\S|\S.*?\S)#(?![\w#])", re.DOTALL), "mark"),
    (re.compile(r"(?<!\\)\^(\S+?)\^"), "sup"),
    (re.compile(r"(?<![\\~])~(\S+?)~(?!~)"), "sub"),
)
NOT_MACROS = ("http", "https", "ftp")


class InlineWriter:
    """Writes lines as HTML."""

    def __init__(self, attributes: Mapping[str, str], titles: Mapping[str, str], removals: Removals) -> None:
        self._attributes = attributes
        self._titles = titles
        self._removals = removals
        self.notes: list[str] = []
        """Footnotes, in HTML, in their order."""

    def attributes_in(self, text: str) -> str:
        """Returns the text with the attributes that are known by their values."""
        for _ in range(3):  # A value may name another attribute.
            if "{" not in text:
                break
            text = REFERENCE.sub(self._value, text)
        return text

    def html(self, text: str) -> str:
        """Returns a run of text as HTML."""
        kept: list[str] = []

        def keep(markup: str) -> str:
            kept.append(markup)
            return f"\x00{len(kept) - 1}\x00"

        text = self.attributes_in(text.replace("\x00", ""))
        text = PASS.sub(lambda m: keep(html.escape(next(part for part in m.groups() if part is not None), quote=False)), text)
        text = CODE.sub(lambda m: keep(f"<code>{html.escape((m[1] or m[2]).strip('+'), quote=False)}</code>"), text)
        text = self._with_macros(html.escape(text, quote=False), keep)
        text = ROLE.sub(lambda m: self._noted(MARKS, m[1]), text)
        for pattern, tag in MARKED:
            text = pattern.sub(rf"<{tag}>\1</{tag}>", text)
        text = re.sub(r"[ \t]\+$", "<br>", text, flags=re.MULTILINE)
        text = re.sub(r"\\(?=[*_`#^~{\[<&a-z])", "", text)
        for _ in range(4):
            if "\x00" not in text:
                break
            text = re.sub(r"\x00(\d+)\x00", lambda m: kept[int(m[1])], text)
        return text

    def _noted(self, reason: str, text: str) -> str:
        """Returns nothing in place of a piece that is taken out."""
        self._removals.add(reason, text)
        return ""

    def _value(self, match: re.Match[str]) -> str:
        name = match[1].lower()
        if name not in self._attributes:
            return match[0]
        self._removals.add(MARKS, match[1])
        return self._attributes[name]

    def _with_macros(self, text: str, keep: Callable[[str], str]) -> str:
        text = INDEX.sub(lambda m: self._noted(MARKS, m[1]), text)
        text = SHOWN_INDEX.sub(r"\1", text)
        text = ANCHOR.sub(lambda m: self._noted(TARGETS, m[0]), text)
        text = ANGLED.sub(lambda m: self._crossed(m[1], m[2] or ""), text)
        text = URL.sub(lambda m: self._linked(m[1], m[2], keep), text)
        return MACRO.sub(lambda m: self._macro(m[1], m[2] or "", m[3].replace("\\]", "]"), keep) or m[0], text)

    def _crossed(self, target: str, words: str) -> str:
        """Returns the words of a cross reference; without any those of the title that it leads to, or its own."""
        if words.strip():
            self._removals.add(TARGETS, target)
            return words
        name = target.rpartition("#")[2] if "#" in target else target
        if name in self._titles:
            self._removals.add(TARGETS, target)
            return html.escape(self._titles[name], quote=False)
        return re.sub(r"[_-]+", " ", re.sub(r"\.(?:adoc|asciidoc|html)\b", "", target)).strip() if "/" not in target else target

    def _linked(self, url: str, words: str, keep: Callable[[str], str]) -> str:
        shown = re.split(r",\s*(?:window|role|opts|title|id)=", words)[0].strip().removesuffix("^").strip('"')
        if words != shown:
            self._removals.add(MARKS, words)
        if not shown:
            return keep(url)
        self._removals.add(TARGETS, url)
        return shown

    def _macro(self, name: str, target: str, words: str, keep: Callable[[str], str]) -> str:
        if name in NOT_MACROS:
            return ""
        if name in ("link", "xref", "mailto"):
            self._removals.add(MARKS, name)
        if name in ("link", "mailto"):
            return self._linked(target, words, keep) or keep(target)
        if name == "xref":
            return self._crossed(target, words)
        if name == "image":
            alt, *rest = words.split(",")
            self._removals.add(MARKS, f"image {' '.join(rest)}")
            self._removals.add(TARGETS, target)
            return keep(f'<img src="{target}" alt="{html.escape(alt.strip(chr(34)), quote=True)}">')
        if name in ("footnote", "footnoteref"):
            self._removals.add(MARKS, f"{name} {target}")
            if not words:
                return " "
            self.notes.append(words)
            return f" [{len(self.notes)}]"
        if name == "menu":
            self._removals.add(MARKS, name)
            return " > ".join(
                part.strip() for part in [target.replace("_", " "), *words.replace("&gt;", ">").split(">")] if part.strip()
            )
        if name in ("anchor", "indexterm", "icon"):
            self._removals.add(MARKS if name != "icon" else TARGETS, f"{name} {target} {words}")
            return " " if name != "icon" or not words else words
        self._removals.add(MARKS, name)
        if name in ("kbd", "btn"):
            return keep(words)
        if name in ("stem", "latexmath", "asciimath"):
            return keep(f"${words}$")
        if not target and not words:
            return ""
        return f"{target} {words}".strip()  # A macro of an extension: its words.
