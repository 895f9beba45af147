"""Markdown without the tags of HTML, JSX and templates in it: their words stay, as Markdown.

What looks like a tag and is none stays as it is: `<path>` without an end and attributes is a placeholder, `List<String>` a type.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from finetrieve.corpus.parsing.component_tags import Tag, attribute_words, read_tag, read_template_tag
from finetrieve.corpus.parsing.html import html_fragment_to_markdown
from finetrieve.corpus.parsing.markdown import fence_code
from finetrieve.corpus.parsing.prose import says_something
from finetrieve.corpus.parsing.removal import COMMENTS, PICTURES, SCRIPTS, TAGS, TARGETS, Removals
from finetrieve.corpus.parsing.removal import MARKS as FORMAT_MARKS

START = re.compile(r"`+|<(?=[A-Za-z/!>])|\{(?=[%{/])|!?\[\[")
OPENED_ALONE = re.compile(r"^[ \t]*<([A-Z][\w.-]*)>[ \t]*$", re.MULTILINE)
CLOSED_ALONE = re.compile(r"^[ \t]*</([A-Z][\w.-]*)>[ \t]*$", re.MULTILINE)
WIKI_LINK = re.compile(r"(!?)\[\[([^\[\]|\n]+?)(?:\|([^\[\]\n]*))?\]\]")
LINE_START = re.compile(r"^[ \t]*(?:>[ \t]?)*(?:(?:[*+-]|\d{1,9}[.)])[ \t]+)*")
WHOLE = {"table", "dl", "pre", "script", "style", "svg", "iframe", "video", "audio", "object", "noscript", "template", "math"}
"""Elements that are converted with all that is in them."""
NOT_SHOWN = {"script", "style", "svg", "iframe", "object", "template"}
VOID = {"br", "hr", "img", "wbr", "input"}
OFTEN_OPEN = {"p", "li", "td", "tr", "th", "dt", "dd", "br", "hr", "img", "wbr", "div", "details", "tbody", "thead"}
"""Tags that people leave open; any other without end and attributes is a word, such as `<path>`."""
INLINE = {
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img",
    "input", "ins", "kbd", "label", "mark", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong",
    "sub", "sup", "time", "tt", "u", "var", "wbr", "br", "button", "output",
}  # fmt: skip
HTML = INLINE | VOID | WHOLE | {
    "address", "area", "article", "aside", "base", "body", "blockquote", "caption", "center", "col", "colgroup", "dd",
    "details", "dialog", "dir", "div", "dt", "embed", "fieldset", "figcaption", "figure", "footer", "form", "frame", "h1",
    "h2", "h3", "h4", "h5", "h6", "head", "header", "hgroup", "html", "legend", "li", "link", "main", "map", "menu", "meta",
    "meter", "nav", "ol", "optgroup", "option", "p", "param", "path", "picture", "portal", "progress", "search", "section",
    "select", "slot", "source", "summary", "table", "tbody", "td", "textarea", "tfoot", "th", "thead", "title", "tr",
    "track", "ul"
}  # fmt: skip
MARKS = {"strong": "**", "b": "**"}
HIGHLIGHT = re.compile(
    r"^[ \t]*\{(?:%|\{[<%])-?\s*highlight\s+(\w+)[^\n]*?(?:%|[%>]\})\}[ \t]*\n?"
    r"(.*?)\{(?:%|\{[<%])-?\s*(?:/\s*|end)highlight\s*-?(?:%|[%>]\})\}",
    re.DOTALL | re.MULTILINE,
)
MAX_FAILURES = 300
"""After so many tags that never end, the rest of a text has none."""


def convert_markup(text: str, removals: Removals, around_code: Collection[str] = ()) -> str:
    """Returns a run of Markdown that is no code with its tags gone and their words kept.

    Args:
        text: The run.
        removals: Where what is taken out is noted.
        around_code: Names of components whose tags stand in different runs, with code between them.
    """
    return _Converter(text, removals, around_code).convert() if re.search(r"[<{]|\[\[", text) else text


def components_around_code(runs: Iterable[str]) -> set[str]:
    """Returns the components that a page opens on a line and closes on another, such as Mintlify's `<CodeGroup>`.

    Args:
        runs: The page without its code.
    """
    text = "\n".join(runs)
    return {match[1] for match in OPENED_ALONE.finditer(text)} & {match[1] for match in CLOSED_ALONE.finditer(text)}


def highlighted_as_fences(text: str, removals: Removals) -> str:
    """Returns the text with the `highlight` blocks of Jekyll and Hugo as fenced code."""
    if "highlight" not in text or "{" not in text:
        return text

    def fenced(match: re.Match[str]) -> str:
        removals.add(FORMAT_MARKS, match[0].replace(match[2], " ", 1))
        return fence_code(match[2].strip("\n"), match[1])

    return HIGHLIGHT.sub(fenced, text)


@dataclass(slots=True)
class _Converter:
    text: str
    removals: Removals
    around_code: Collection[str] = ()
    out: list[str] = field(default_factory=list)
    failures: int = 0
    at: int = 0
    ends: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Tag name -> where its closing tags stand."""

    def convert(self) -> str:
        lowered = self.text.lower() if "</" in self.text else ""
        for tag in re.finditer(r"</([a-z][\w.:-]*)\s*>", lowered):
            self.ends[tag[1]].append(tag.start())
        runs = self._backtick_runs()
        while match := START.search(self.text, self.at):
            self.out.append(self.text[self.at : match.start()])
            start, found = match.start(), match[0]
            self.at = start
            if found[0] == "`":
                end = self._next(runs[len(found)], start)
                stop = end + len(found) if end is not None and "\n\n" not in self.text[start:end] else match.end()
                self._copy(stop)
            elif found == "<":
                self._angle(start)
            elif found == "{":
                self._brace(start)
            else:
                self._wiki_link(start)
        self.out.append(self.text[self.at :])
        return "".join(self.out)

    def _backtick_runs(self) -> dict[int, list[int]]:
        runs: dict[int, list[int]] = defaultdict(list)
        for match in re.finditer(r"`+", self.text):
            runs[len(match[0])].append(match.start())
        return runs

    @staticmethod
    def _next(places: list[int], start: int) -> int | None:
        index = bisect_right(places, start)
        return places[index] if index < len(places) else None

    def _copy(self, end: int) -> None:
        self.out.append(self.text[self.at : end])
        self.at = end

    def _drop(self, end: int, reason: str, put: str = "") -> None:
        self.removals.add(reason, self.text[self.at : end])
        self.out.append(put)
        self.at = end

    # 1. Where a tag stands: alone at the beginning of a line, within a sentence, or in a row of a table.

    def _before(self) -> str:
        """Returns the line so far, as it was read."""
        return self.text[self.text.rfind("\n", 0, self.at) + 1 : self.at]

    def _break(self) -> str:
        """Returns what begins a new block here, with the indentation that keeps it in its list or quote."""
        before = self._before()
        if before.lstrip().startswith("|"):
            return " "
        start = LINE_START.match(before)
        prefix = re.sub(r"[*+\-\d.)]", " ", start[0]) if start else ""
        if start and start[0] == before and not before.strip(" \t>"):
            return ""  # Nothing stands before it.
        if start and start[0].strip() and start.end() == len(before):
            return ""  # The first thing in a list item.
        return f"\n{prefix.rstrip()}\n{prefix}"

    def _block(self, words: str) -> str:
        lines = self._before()
        start = LINE_START.match(lines)
        prefix = re.sub(r"[*+\-\d.)]", " ", start[0]) if start else ""
        if lines.lstrip().startswith("|"):
            return f" {' '.join(words.split())} "
        gap = self._break()
        body = f"\n{prefix}".join(words.split("\n"))
        return f"{gap}{body}\n{prefix.rstrip()}\n{prefix}"

    # 2. Tags of HTML and components.

    def _angle(self, start: int) -> None:
        if self.text.startswith("<!", start) or self.text.startswith("<?", start):
            end = self.text.find("-->", start) + 3 if self.text.startswith("<!--", start) else self.text.find(">", start) + 1
            if end >= 3 and (
                self.text.startswith("<!--", start) or re.match(r"<!doctype\b", self.text[start : start + 10], re.IGNORECASE)
            ):
                self._drop(end, COMMENTS)
            else:
                self._copy(start + 1)
            return
        tag = read_tag(self.text, start) if self.failures < MAX_FAILURES else None
        if tag is None:
            self.failures += not self.text.startswith("</", start)
            self._copy(start + 1)
        elif not tag.name:
            self._drop(tag.end, TAGS)
        elif (tag.name.lower() in HTML and tag.name[0].islower()) or (
            tag.name.isupper() and tag.name.lower() in HTML and self._is_markup(tag, start)
        ):
            self._html(tag, start)
        elif tag.name[0].isupper() or "-" in tag.name or "." in tag.name:
            if self._is_markup(tag, start):
                self._component(tag)
            else:
                self._copy(tag.end)
        else:
            self._copy(tag.end)

    def _is_markup(self, tag: Tag, start: int) -> bool:
        """Whether a tag is one: it ends somewhere, has attributes, or is a kind that is often left open."""
        name = tag.name.lower()
        if tag.name in self.around_code and self._alone(tag, start):
            return True
        if tag.closing:
            return name in HTML or self._opened(tag.name, start)
        if name in OFTEN_OPEN and tag.name.islower():
            return True
        if any(value != "true" or key[:1].isupper() for key, value in tag.attributes) and not all(
            v == "true" for _, v in tag.attributes
        ):
            return True
        if tag.self_closing:
            return True
        ends = self.ends.get(name)
        return ends is not None and ends[-1] > start and (name in HTML or not tag.attributes)

    def _alone(self, tag: Tag, start: int) -> bool:
        """Whether nothing else stands on the tag's line."""
        before, after = self.text.rfind("\n", 0, start) + 1, self.text.find("\n", tag.end)
        return not (self.text[before:start] + self.text[tag.end : after if after >= 0 else None]).strip()

    def _opened(self, name: str, start: int) -> bool:
        return f"<{name}" in self.text[:start]

    def _html(self, tag: Tag, start: int) -> None:
        name = tag.name.lower()
        if not self._is_markup(tag, start):
            self._copy(tag.end)
            return
        end = self._end_of(name, start) if name in WHOLE and not tag.closing and not tag.self_closing else None
        if end is not None:
            self._whole(name, end)
        elif tag.closing:
            self._drop(tag.end, TAGS, MARKS.get(name, "" if name in INLINE else self._block("")))
        elif name == "br":
            self._drop(tag.end, TAGS, " " if self._before().lstrip().startswith("|") else "\\\n" + self._prefix())
        elif name == "img":
            self._picture(tag)
        elif (
            name in ("code", "samp", "tt") and (close := self._near_end(name, tag.end)) and "`" not in self.text[tag.end : close]
        ):
            self._replace(tag, close, f"`{' '.join(html.unescape(self.text[tag.end : close]).split())}`")
        elif re.fullmatch(r"h[1-6]", name) and (close := self._near_end(name, tag.end)):
            inner = convert_markup(self.text[tag.end : close], self.removals).replace("\\\n", " ")
            self._replace(tag, close, self._block(f"{'#' * int(name[1])} {' '.join(inner.split())}"))
        elif name in ("summary", "figcaption", "caption", "legend", "dt") and (close := self._near_end(name, tag.end)):
            inner = " ".join(convert_markup(self.text[tag.end : close], self.removals).replace("**", "").split())
            mark = "**" if name in ("summary", "legend", "dt") and inner else ""
            self._replace(tag, close, self._block(f"{mark}{inner}{mark}"))
        else:
            self._open_html(tag, name)

    def _replace(self, tag: Tag, close: int, put: str) -> None:
        """Puts something in the place of an element whose end tag stands at `close`."""
        self.removals.add(TAGS, f"{self.text[self.at : tag.end]} {tag.name}")
        self.out.append(put)
        self.at = self.text.index(">", close) + 1

    def _open_html(self, tag: Tag, name: str) -> None:
        words = attribute_words(tag.attributes, positional=False)
        said = " ".join(
            part for part in (words.title, *words.prose) if name in ("abbr", "dfn", "track", "option", "optgroup", "figure")
        )
        if name in INLINE:
            put = MARKS.get(name, f"{said}: " if said and name == "abbr" else "")
        elif name == "li":
            put = f"{self._break() or ''}- "
        else:
            put = self._block("")
        self._drop(tag.end, TAGS, put)

    def _whole(self, name: str, end: int) -> None:
        piece = self.text[self.at : end]
        if name in NOT_SHOWN:
            self._drop(end, SCRIPTS)
            return
        words = html_fragment_to_markdown(piece, self.removals, _escaped)
        put = self._block(words) if name in ("table", "dl", "pre", "video", "noscript") else words
        self.removals.add(TAGS, " ".join(re.findall(r"<[^<>]*>", piece)))
        self.out.append(put)
        self.at = end

    def _end_of(self, name: str, start: int) -> int | None:
        """Returns where the element that begins at `start` ends, those of its kind inside it counted."""
        depth = 0
        for match in re.finditer(rf"<(/?){name}\b[^<>]*>", self.text[start:], re.IGNORECASE) if self.ends.get(name) else ():
            depth += -1 if match[1] else 1
            if depth <= 0:
                return start + match.end()
        return None

    def _near_end(self, name: str, start: int) -> int | None:
        end = self._next(self.ends.get(name, []), start - 1)
        return end if end is not None and end - start < 1000 and "\n\n" not in self.text[start:end] else None

    def _picture(self, tag: Tag) -> None:
        given = {key.lower(): value for key, value in tag.attributes}
        words = " ".join(given.get("alt", "").split())
        self.removals.add(
            TAGS, f"{tag.name} {' '.join(f'{key} {value}' for key, value in tag.attributes if key.lower() != 'alt')} alt"
        )
        if says_something(words, given.get("src", "")) or self._before().lstrip().startswith("|"):
            self.out.append(words)
        else:
            self.removals.add(PICTURES, words)
        self.at = tag.end

    def _component(self, tag: Tag) -> None:
        if tag.closing:
            alone = self.text[tag.end : tag.end + 1] in ("", "\n")
            self._drop(tag.end, TAGS, self._block("") if alone else "")
            return
        words = attribute_words(tag.attributes)
        before = LINE_START.sub("", self._before()).strip()
        said = words.title or words.facts or words.prose or words.code
        inner = [name for _, value in tag.attributes for name in re.findall(r"</?([\w.]+)", value)]
        self.removals.add(TAGS, " ".join([tag.name, *words.dropped, *inner]))
        if before or self._before().lstrip().startswith("|"):
            self.out.append(" ".join(part for part in (words.title, *words.prose, *(f"`{code}`" for code in words.code)) if part))
        elif said or self.text[tag.end : tag.end + 1] in ("", "\n"):
            self.out.append(self._block(_component_text(words.title, words.facts, words.prose, words.code)))
        self.at = tag.end

    def _prefix(self) -> str:
        start = LINE_START.match(self._before())
        return re.sub(r"[*+\-\d.)]", " ", start[0]) if start else ""

    # 3. Templates, comments of MDX, and Obsidian's links.

    def _brace(self, start: int) -> None:
        if self.text.startswith("{/*", start):
            end = self.text.find("*/}", start)
            if end >= 0:
                self._drop(end + 3, COMMENTS)
                return
        for opening, closing in (("{%", "%}"), ("{{<", ">}}"), ("{{%", "%}}"), ("{{/*", "*/}}")):
            if not self.text.startswith(opening, start):
                continue
            end = self.text.find(closing, start, start + MAX_TEMPLATE)
            if end < 0:
                break
            self._template(self.text[start + len(opening) : end], end + len(closing), comment="*" in opening)
            return
        self._copy(start + 1)

    def _template(self, inside: str, end: int, comment: bool) -> None:
        if comment:
            self._drop(end, COMMENTS)
            return
        name, attributes = read_template_tag(inside)
        files = re.fullmatch(
            r"(?:rel)?ref|include.*|readfile|import|extends|embed|youtube|vimeo|gist|content-ref|assign|if|elsif|for|unless", name
        )
        words = attribute_words(attributes, positional=not files)
        if files and name != "embed":
            words = attribute_words(())
        self.removals.add(TAGS, inside if files else " ".join([name, *words.dropped]))
        text = _component_text(
            words.title, words.facts if name not in ("code", "tab", "hint", "endtab") else (), words.prose, words.code
        )
        if name in ("code", "tab", "hint"):
            self.removals.add(TAGS, " ".join(words.facts))
        before = LINE_START.sub("", self._before()).strip()
        self.out.append(text.replace("\n\n", " ") if before else (self._block(text) if text else ""))
        self.at = end

    def _wiki_link(self, start: int) -> None:
        match = WIKI_LINK.match(self.text, start)
        inside = match[2] if match else ""
        code = start > 0 and (self.text[start - 1].isalnum() or self.text[start - 1] in "])_")
        if match is None or inside[:1].isspace() or inside[:1] in "-!\"'$" or code or re.fullmatch(r"[\d,.\s:-]*", inside):
            self._copy(start + 1 if match is None or not self.text.startswith("![[", start) else start + 3)
            return
        page, _, part = inside.partition("#")
        shown = (match[3] or "").strip() if match[3] is not None else ""
        if match[1]:
            shown = "" if re.fullmatch(r"\d*(?:x\d+)?", shown) else shown
        elif not shown:
            shown = " > ".join(piece for piece in (page.rsplit("/", 1)[-1], part.lstrip("^#")) if piece)
        self.removals.add(TARGETS, match[0])
        self.out.append(shown)
        self.at = match.end()


MAX_TEMPLATE = 2000
"""Characters; what is longer before it ends is no template tag."""


def _component_text(title: str, facts: tuple[str, ...], prose: tuple[str, ...], code: tuple[str, ...]) -> str:
    head = f"**{title.replace('**', '')}**" if title else ""
    shown = f"({', '.join(facts)})" if title and facts else ", ".join(facts)
    first = " ".join(part for part in (head, shown) if part)
    return "\n\n".join(part for part in (first, *prose, *(f"`{command}`" for command in code)) if part)


def _escaped(text: str) -> str:
    """Returns words between tags as they stand in Markdown, where a tag would be read as one."""
    return re.sub(r"&(?=#?\w+;)", "&amp;", text).replace("<", "&lt;")
