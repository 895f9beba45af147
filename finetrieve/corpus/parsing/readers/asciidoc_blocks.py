"""The blocks of an AsciiDoc page as HTML: headings, paragraphs, lists, listings, admonitions, tables and what holds them."""

from __future__ import annotations

import html
import re

from finetrieve.corpus.parsing.readers.asciidoc_inline import InlineWriter
from finetrieve.corpus.parsing.readers.asciidoc_lines import (
    ATTRIBUTE,
    BLOCK_ANCHOR,
    BLOCK_ATTRIBUTES,
    BLOCK_MACRO,
    BULLET,
    CALLOUT,
    FENCE,
    HEADING,
    NUMBER,
    TERM,
    TITLE,
    closing,
    dedented,
    ends_paragraph,
    is_item,
    marker,
    style_of,
    titles,
    underlined,
)
from finetrieve.corpus.parsing.readers.asciidoc_tables import Cell, table_html
from finetrieve.corpus.parsing.removal import COMMENTS, FRONT_MATTER, MARKS, TAGS, TARGETS, Removals

ADMONITION = re.compile(r"^(NOTE|TIP|IMPORTANT|WARNING|CAUTION):\s+(?=\S)")
ADMONITIONS = ("NOTE", "TIP", "IMPORTANT", "WARNING", "CAUTION")
CHECKBOX = re.compile(r"^\[([ xX*])\]\s+")
REVISION = re.compile(r"^v?\d[\w.]*\s*(?:,.*)?$|^\d{4}-\d\d-\d\d")
FORMULAS = ("stem", "latexmath", "asciimath")
CODE_STYLES = ("source", "listing", "literal", "mermaid", "plantuml", "graphviz", "ditaa", "console")
MAX_DEPTH = 30


class BlockWriter:
    """Writes the lines of a page, conditions and inclusions done, as HTML."""

    def __init__(self, lines: list[str], attributes: dict[str, str], removals: Removals) -> None:
        self._lines = lines
        self._removals = removals
        self._attributes = attributes
        self._inline = InlineWriter(attributes, titles(lines), removals)

    def html(self) -> str:
        """Returns the page as HTML, footnotes at its end."""
        body = self._blocks(self._without_header(), 0)
        notes = "".join(
            f"<p>[{at}] {self._inline.html(html.unescape(note))}</p>" for at, note in enumerate(self._inline.notes, 1)
        )
        return body + notes

    def _without_header(self) -> list[str]:
        """Returns the lines without author and revision below the title."""
        lines = list(self._lines)
        at = next(
            (at for at, line in enumerate(lines) if line.strip() and not line.startswith("//") and not ATTRIBUTE.match(line)), -1
        )
        if at < 0 or not (match := HEADING.match(lines[at])) or len(match[1]) > 1:
            return lines
        at += 1
        kinds = [re.compile(r"^[^\W\d_][\w'.\-]*(?: [\w'.\-]+){0,2}(?: <[^<>]+>)?(?:; .*)?$"), REVISION]
        while at < len(lines) and lines[at].strip() and kinds:
            if lines[at].startswith(("//", ":")):
                at += 1
            elif kinds.pop(0).match(lines[at]):
                self._removals.add(FRONT_MATTER, lines[at])
                del lines[at]
            else:
                break
        return lines

    # 1. Blocks.

    def _blocks(self, lines: list[str], depth: int) -> str:
        if depth > MAX_DEPTH:
            return f"<p>{html.escape(chr(10).join(lines))}</p>"
        out: list[str] = []
        options, title, at = "", "", 0
        while at < len(lines):
            line = lines[at].rstrip()
            if not line:
                at += 1
                continue
            used = self._metadata(lines, at)
            if used:
                at += used
            elif BLOCK_ATTRIBUTES.match(line) and not BULLET.match(line):
                options = f"{options} {line.strip()}".strip()
                at += 1
            elif (match := TITLE.match(line)) and not NUMBER.match(line) and not FENCE.match(line):
                title, at = match[1], at + 1
            else:
                written, at = self._block(lines, at, options, depth)
                self._removals.add(MARKS, options)
                out.append(f"<p><strong>{self._inline.html(title)}</strong></p>" if title and written else "")
                out.append(written)
                options, title = "", ""
        if title:
            out.append(f"<p>{self._inline.html(title)}</p>")
        self._removals.add(MARKS, options)
        return "".join(out)

    def _metadata(self, lines: list[str], at: int) -> int:
        """Returns how many lines from here on say nothing on the page: comments, attributes, anchors."""
        line = lines[at]
        if line.startswith("////"):
            end = closing(lines, at)
            self._removals.add(COMMENTS, "\n".join(lines[at : end + 1]))
            return end + 1 - at
        if line.startswith("//") and not line.startswith("///"):
            self._removals.add(COMMENTS, line)
            return 1
        if match := ATTRIBUTE.match(line):
            end, value = at, (match[2] or "").rstrip()
            while value.endswith(" \\") and end + 1 < len(lines):
                end += 1
                value = f"{value[:-2].rstrip()} {lines[end].strip()}"
            if "!" in match[1]:
                self._attributes.pop(match[1].strip("!"), None)
            else:
                self._attributes[match[1].lower()] = self._inline.attributes_in(value)
            self._removals.add(FRONT_MATTER, "\n".join(lines[at : end + 1]))
            return end + 1 - at
        if BLOCK_ANCHOR.match(line):
            self._removals.add(TARGETS, line)
            return 1
        if line.strip() in ("'''", "---", "***", "<<<", "* * *", "- - -"):
            return 1
        return 0

    def _block(self, lines: list[str], at: int, options: str, depth: int) -> tuple[str, int]:
        """Returns the block that begins at a line, and the line after it."""
        line = lines[at].rstrip()
        style = style_of(options)
        if match := HEADING.match(line):
            return self._heading(match[2], len(match[1]) + self._offset()), at + 1
        if level := underlined(lines, at):
            return self._heading(line, level), at + 2
        if FENCE.match(line):
            end = closing(lines, at)
            return self._fenced(line, lines[at + 1 : end], options, depth), end + 1
        if match := BLOCK_MACRO.match(line):
            return self._macro(match), at + 1
        if is_item(line):
            return self._list(lines, at, depth)
        end = at + 1
        while end < len(lines) and lines[end].strip() and not ends_paragraph(lines[end]):
            end += 1
        taken = lines[at:end]
        if style in CODE_STYLES or (line[0] in " \t" and not style):
            return self._code(dedented(taken), options if style == "source" else ""), end
        return self._paragraph([line for line in taken if not self._is_comment(line)], style, options), end

    def _is_comment(self, line: str) -> bool:
        is_comment = line.startswith("//") and not line.startswith("///")
        self._removals.add(COMMENTS, line if is_comment else "")
        return is_comment

    def _offset(self) -> int:
        given = self._attributes.get("leveloffset", "0")
        return int(given) if re.fullmatch(r"[+-]?\d", given) else 0

    def _heading(self, text: str, level: int) -> str:
        level = max(1, min(level, 6))
        return f"<h{level}>{self._inline.html(text)}</h{level}>"

    def _paragraph(self, lines: list[str], style: str, options: str) -> str:
        text = "\n".join(line.strip() for line in lines)
        if match := ADMONITION.match(text):
            return f"<p><strong>{match[1]}:</strong> {self._inline.html(text[match.end() :])}</p>"
        if style in ADMONITIONS:
            return f"<p><strong>{style}:</strong> {self._inline.html(text)}</p>"
        if style in ("quote", "verse"):
            inner = "<br>".join(map(self._inline.html, lines)) if style == "verse" else self._inline.html(text)
            return f"<blockquote><p>{inner}</p>{self._attribution(options)}</blockquote>"
        if style in FORMULAS:
            return f"<p>${html.escape(text, quote=False)}$</p>"
        if style == "pass":
            return self._raw(text)
        return f"<p>{self._inline.html(text)}</p>"

    def _fenced(self, fence: str, inside: list[str], options: str, depth: int) -> str:
        style, mark = style_of(options), fence.strip()[0]
        if fence.strip()[1:4] == "===" and mark in "|,:!":
            return table_html(inside, self._inline.attributes_in(options), mark, lambda cell: self._cell(cell, depth), self._mark)
        if fence.startswith("```"):
            self._removals.add(MARKS, fence)
            return self._code(inside, f"[source,{fence.strip('` ')}]")
        if mark == "+":
            text = "\n".join(inside)
            return (
                f"<p>${html.escape(text, quote=False)}$</p>" if style in ("stem", "latexmath", "asciimath") else self._raw(text)
            )
        if mark == "." or (mark == "-" and fence.strip() != "--") or style in CODE_STYLES:
            return self._code(inside, options if style == "source" else "")
        if mark == "_" and style == "verse":
            return f"<blockquote><p>{'<br>'.join(map(self._inline.html, inside))}</p>{self._attribution(options)}</blockquote>"
        body = self._blocks(inside, depth + 1)
        if style in ADMONITIONS:
            return f"<div><p><strong>{style}:</strong></p>{body}</div>"
        if mark == "_" or style == "quote":
            return f"<blockquote>{body}{self._attribution(options)}</blockquote>"
        return f"<div>{body}</div>"

    def _code(self, lines: list[str], options: str) -> str:
        parts = [part.strip() for part in options.strip("[] ").split("]")[-1].split("[")[-1].split(",")]
        language = parts[1] if len(parts) > 1 and re.fullmatch(r"[\w+#.-]+", parts[1]) else ""
        text = "\n".join(lines)
        if re.search(r"subs=.*(?:attributes|normal|\+)", options):
            text = self._inline.attributes_in(text)
        name = f' class="language-{language}"' if language else ""
        return f"<pre><code{name}>{html.escape(text, quote=False)}</code></pre>"

    def _macro(self, match: re.Match[str]) -> str:
        name, target, words = match[1], match[2], self._inline.attributes_in(match[3])
        self._removals.add(MARKS, name)
        self._removals.add(TARGETS, target)
        if name == "image":
            alt, *rest = re.split(r",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", words)
            stated = next((part.partition("=")[2] for part in [alt, *rest] if part.strip().startswith("alt=")), alt)
            titles = [part.partition("=")[2].strip('" ') for part in rest if part.strip().startswith("title=")]
            self._removals.add(MARKS, " ".join(rest))
            shown = html.escape(stated.strip('" ') if "=" not in stated else "", quote=True)
            caption = "".join(f"<p>{self._inline.html(title)}</p>" for title in titles)
            return f'<p><img src="{html.escape(target)}" alt="{shown}"></p>{caption}'
        if name in ("toc", "video", "audio"):
            self._removals.add(MARKS, words)
            return ""
        return f"<p>{self._inline.html(words)}</p>" if words else f"<p>{html.escape(target, quote=False)}</p>"

    def _cell(self, cell: Cell, depth: int) -> str:
        if cell.style == "a":
            return self._blocks(cell.text.split("\n"), depth + 1)
        if cell.style in ("l", "m"):
            return f"<code>{html.escape(cell.text, quote=False)}</code>"
        return "<br>".join(self._inline.html(part.replace("\n", " ")) for part in re.split(r"\n\s*\n", cell.text))

    def _attribution(self, options: str) -> str:
        said = [part.strip(' "') for part in options.strip("[] ").split(",")[1:]]
        words = ", ".join(part for part in said if part and "=" not in part)
        return f"<p>— {self._inline.html(words)}</p>" if words else ""

    def _mark(self, text: str) -> None:
        self._removals.add(MARKS, text)

    def _raw(self, text: str) -> str:
        """Returns raw HTML as it is, its tags noted."""
        self._removals.add(TAGS, " ".join(re.findall(r"</?\w[^<>]*>", text)))
        return text

    # 2. Lists.

    def _list(self, lines: list[str], at: int, depth: int) -> tuple[str, int]:
        """Returns a list and the line after it: items of one mark, each with the lists of other marks below it."""
        first = marker(lines[at])
        assert first is not None
        kind, mark = first
        items: list[str] = []
        while at < len(lines):
            line = lines[at]
            found = marker(line)
            if found != (kind, mark):
                break
            item, at = self._item(lines, at, kind, mark, depth)
            items.append(item)
            ahead = at
            while ahead < len(lines) and not lines[ahead].strip():
                ahead += 1
            if ahead < len(lines) and marker(lines[ahead]) == (kind, mark):
                at = ahead
        tag = {"bullet": "ul", "term": "dl"}.get(kind, "ol")
        return f"<{tag}>{''.join(items)}</{tag}>", at

    def _item(self, lines: list[str], at: int, kind: str, mark: str, depth: int) -> tuple[str, int]:
        line = lines[at]
        term = ""
        if kind == "term":
            match = TERM.match(line)
            term, text = (match[1], match[3] or "") if match else (line, "")
        else:
            match = {"bullet": BULLET, "number": NUMBER, "callout": CALLOUT}[kind].match(line)
            text = line[match.end() :] if match else line
        at += 1
        words, blocks = [text] if text else [], []
        ended = False
        while at < len(lines):
            line = lines[at]
            if line.strip() == "+" and at + 1 < len(lines):
                attached, at = self._attached(lines, at + 1, depth)
                blocks.append(attached)
                ended = True
                continue
            if not line.strip():
                ahead = at
                while ahead < len(lines) and not lines[ahead].strip():
                    ahead += 1
                follows = lines[ahead] if ahead < len(lines) else ""
                found = marker(follows)
                is_literal = follows[:1] in (" ", "\t") and found is None
                is_first = kind == "term" and not words and not blocks and found is None and not ends_paragraph(follows)
                if found and found != (kind, mark) and not self._is_above(found, (kind, mark)):
                    at = ahead
                    continue
                if follows and is_first and not HEADING.match(follows) and not BLOCK_MACRO.match(follows):
                    at = ahead
                    continue
                if is_literal and follows:
                    end = ahead
                    while end < len(lines) and lines[end].strip():
                        end += 1
                    blocks.append(self._code(dedented(lines[ahead:end]), ""))
                    at, ended = end, True
                    continue
                break
            found = marker(line)
            if found == (kind, mark) or (found and self._is_above(found, (kind, mark))):
                break
            if found:
                self._open.append((kind, mark))
                nested, at = self._list(lines, at, depth + 1) if depth < MAX_DEPTH else (f"<p>{html.escape(line)}</p>", at + 1)
                self._open.pop()
                blocks.append(nested)
                ended = True
            elif self._is_comment(line):
                at += 1
            elif ends_paragraph(line) or ended:
                break
            else:
                words.append(line.strip())
                at += 1
        box = CHECKBOX.match(words[0]) if words and kind == "bullet" else None
        if box:
            words[0] = words[0][box.end() :]
        marked = f"[{'x' if box[1] != ' ' else ' '}] " if box else ""
        inner = f"{marked}{self._inline.html(chr(10).join(words))}" + "".join(blocks)
        if kind == "term":
            return f"<dt>{self._inline.html(term)}</dt>" + (f"<dd>{inner}</dd>" if inner else ""), at
        return f"<li>{inner}</li>", at

    @property
    def _open(self) -> list[tuple[str, str]]:
        if not hasattr(self, "_open_lists"):
            self._open_lists: list[tuple[str, str]] = []
        return self._open_lists

    def _is_above(self, found: tuple[str, str], own: tuple[str, str]) -> bool:
        return found != own and found in self._open

    def _attached(self, lines: list[str], at: int, depth: int) -> tuple[str, int]:
        """Returns the block that a `+` joins to an item, with the attributes above it, and the line after it."""
        start = at
        while (
            at < len(lines)
            and lines[at].strip()
            and (
                BLOCK_ATTRIBUTES.match(lines[at])
                or BLOCK_ANCHOR.match(lines[at])
                or (TITLE.match(lines[at]) and not NUMBER.match(lines[at]))
            )
        ):
            at += 1
        if at >= len(lines):
            return self._blocks(lines[start:at], depth + 1), at
        if FENCE.match(lines[at]):
            end = min(closing(lines, at) + 1, len(lines))
        else:
            end = at
            while (
                end < len(lines)
                and lines[end].strip()
                and lines[end].strip() != "+"
                and (end == at or marker(lines[end]) is None)
            ):
                end += 1
        return self._blocks(lines[start:end], depth + 1), max(end, at + 1)
