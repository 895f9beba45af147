"""Markdown as people publish it made Markdown worth retrieving: words and code stay, the site around them goes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import yaml

from finetrieve.corpus.parsing.html import html_fragment_to_markdown
from finetrieve.corpus.parsing.markdown import Block, blocks, code_lines, fence_code
from finetrieve.corpus.parsing.prose import HEADING, IMAGE, LINK, LIST_MARKER, clean_plain_prose, clean_prose, plain_words

MAX_FRONT_MATTER = 20_000
"""Characters; what is longer is no front matter."""
MIN_DESCRIPTION_WORDS = 3
"""A front matter's description with fewer repeats the title."""


COMMENTS = (("<!--", "-->"), ("{/*", "*/}"))

BOX = re.compile(r"[\u2500-\u259f]")
FRAME_LINE = re.compile(r"^[\s\u2500-\u259f+=|\-]*$")
CELL_BORDER = re.compile(r"[\u2502\u2503\u2551\u2575-\u257b]")
ASCII_FRAME = re.compile(r"^\s*\+(?:[-=]+\+)+\s*$")
HASH = re.compile(r"(?=.*\d)[0-9a-fA-F-]{4,}")
"""A cell with a UUID or a part of one carries no words."""

CONTENTS_HEADING = re.compile(r"^(?:table of )?contents?$|^on this page$|^in this (?:page|article|section)$|^toc$", re.IGNORECASE)
SURELY_MARKDOWN = re.compile(
    r"^#{2,6} \S|^\s*(?:```|~~~)|\]\(|^\|[ :|-]+\|\s*$|\A#{1,6} [^\n]+\n\s*\n|^<(?:p|div|table|ul|h\d|pre)\b", re.MULTILINE
)
ADMONITION = re.compile(r"^(\s*)(?:!!!|\?\?\?\+?|===\+?!?)\s+(?:[\w\- ]+?)?\s*(?:\"([^\"]*)\")?\s*$")
FENCE = re.compile(r"\s*(?:>\s*)*(?:(?:[*+-]|\d+[.)])\s+)?(?:`{3,}|~{3,})")
KEPT_BREAK = re.compile(r"(?:  |\\|>|%\}|\|)$|^\s*(?::::|<|\{%|import |export )")
KEPT_LINE = re.compile(r"\s*(?::::|<[a-zA-Z/]|\{%|\||import |export |\[[^\]]+\]:)")
"""Where a line end inside a paragraph means something."""


@dataclass(frozen=True, slots=True)
class CleanPage:
    """What is left of a page."""

    title: str
    """From the front matter or the first top heading; empty when it has neither."""
    text: str
    contents_only: bool = False
    """Whether the page was little but links: a table of contents."""


def clean_markdown(text: str) -> CleanPage:
    """Returns title and clean Markdown of a Markdown or MDX page."""
    title, body = split_front_matter(text)
    body = _drop_box_drawing(_dedent_admonitions(body))
    contents_only = _mostly_links(body)
    body = _outside_code(_convert_html(body), _drop_contents_lists)
    body = _outside_code(_unwrap(body), clean_prose)
    return CleanPage(title or first_heading(body), tidy(body), contents_only)


def clean_rows_text(text: str) -> str:
    """Returns clean Markdown for a text of unknown kind, such as a row of a table: Markdown, or plain with a stray `#` or `<`."""
    body = _drop_box_drawing(text.replace("\r\n", "\n").replace("\r", "\n"))
    if not SURELY_MARKDOWN.search(body):
        return clean_plain(body)
    return tidy(_outside_code(body, clean_prose, indented_code=False))


def clean_plain(text: str) -> str:
    """Returns plain text as Markdown that means the same: a `#` starts a comment in it rather than a heading."""
    return tidy(clean_plain_prose(_drop_box_drawing(text)))


def split_front_matter(text: str) -> tuple[str, str]:
    """Returns the title that YAML or TOML front matter gives, or an empty string, and the text after it with its description."""
    text = text.lstrip("\ufeff\n ")
    for fence in ("---", "+++"):
        if not text.startswith(fence + "\n"):
            continue
        end = re.compile(rf"^(?:{re.escape(fence)}|\.\.\.)\s*$", re.MULTILINE).search(text, len(fence) + 1, MAX_FRONT_MATTER)
        if end is None:
            continue
        head = text[len(fence) + 1 : end.start()]
        if fence == "---" and head.strip() and not re.search(r"^[\w\"'-]+\s*:", head, re.MULTILINE):
            continue
        title, description = _front_matter_words(head, fence)
        body = text[end.end() :].lstrip("\n")
        return title, f"{description}\n\n{body}" if len(description.split()) >= MIN_DESCRIPTION_WORDS else body
    return "", text


def first_heading(text: str) -> str:
    """Returns the words of the first top-level heading, or an empty string."""
    if "# " not in text:
        return ""
    inside = code_lines(text)
    for line, is_code in zip(text.split("\n"), inside, strict=False):
        match = None if is_code else HEADING.match(line)
        if match and len(match[1]) == 1 and plain_words(match[2]):
            return plain_words(match[2])
    return ""


def readable_name(name: str) -> str:
    """Returns a file name, path or URL as a title: `setting-up_x.md` -> `Setting up x`."""
    stem = re.sub(r"^[a-z]+://", "", name).split("?")[0].split("#")[0].rstrip("/")
    parts = [part for part in stem.split("/") if part]
    last = re.sub(r"\.(?:mdx?|markdown|rst|html?|txt|ipynb|php|aspx?)$", "", parts[-1], flags=re.IGNORECASE) if parts else name
    if last.lower() in ("readme", "index", "default", "_index") and len(parts) > 1:
        last = parts[-2]
    words = re.sub(r"^\d{1,3}[-_. ]+", "", re.sub(r"[-_\s]+", " ", last)).strip() or last
    return words[:1].upper() + words[1:]


def tidy(text: str) -> str:
    """Returns the text without trailing blanks and runs of empty lines."""
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def _front_matter_words(head: str, fence: str) -> tuple[str, str]:
    """Returns title and description."""
    fields: object = None
    if fence == "---":
        try:
            fields = yaml.safe_load(head)
        except (yaml.YAMLError, ValueError, RecursionError):
            fields = None
    if not isinstance(fields, dict):
        fields = dict(re.findall(r"^(title|description)\s*[:=]\s*[\"']?(.+?)[\"']?\s*$", head, re.MULTILINE))
    title, description = fields.get("title"), fields.get("description")
    return (
        plain_words(str(title)) if isinstance(title, str | int | float) else "",
        " ".join(description.split()) if isinstance(description, str) else "",
    )


def _dedent_admonitions(text: str) -> str:
    """Returns the text with MkDocs' indented admonitions and tabs moved to the left: CommonMark would take them for code."""
    if "!!!" not in text and "???" not in text and "\n=== " not in text:
        return text
    lines, depth = [], [0]
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip(" "))
        while line.strip() and len(depth) > 1 and indent < depth[-1]:
            depth.pop()
        line = line[depth[-1] :] if line.strip() else line
        match = ADMONITION.match(line)
        if match and not line.strip().startswith("====") and (match[2] or "===" not in line):
            depth.append(depth[-1] + len(match[1]) + 4)
            lines += ["", f"**{match[2]}**" if match[2] else "", ""]
        else:
            lines.append(line)
    return "\n".join(lines)


def _drop_box_drawing(text: str) -> str:
    """Returns the text with drawn frames gone and the words of their cells kept, a row a line: `TYPE | aws`."""
    if not BOX.search(text) and "+--" not in text and "+==" not in text:
        return text
    kept: list[str] = []
    after_frame = False
    for line in text.split("\n"):
        if ASCII_FRAME.match(line) or (BOX.search(line) and FRAME_LINE.match(line)):
            after_frame = True
            continue
        if after_frame and not line.strip():
            continue  # Copied terminals have an empty line between the lines of a table.
        if BOX.search(line):
            after_frame = True
            line = _cells(line)
            if not line or (kept and kept[-1] == line):
                continue
        else:
            after_frame = False
        kept.append(line)
    return "\n".join(kept)


def _cells(line: str) -> str:
    if not CELL_BORDER.search(line):
        # A directory tree: its branches become spaces, so that the names stay where they were.
        return BOX.sub(" ", line).rstrip()
    cells = (" ".join(BOX.sub(" ", cell).split()) for cell in CELL_BORDER.split(line))
    return " | ".join(cell for cell in cells if re.search(r"\w", cell) and not HASH.fullmatch(cell))


def _mostly_links(text: str) -> bool:
    """Whether hardly a word stands outside of links: a table of contents."""
    links = LINK.findall(text)
    if len(links) < 8:
        return False
    rest = [line for line in IMAGE.sub("", LINK.sub("", text)).split("\n") if not HEADING.match(line)]
    outside = len(re.findall(r"\w{2,}", " ".join(rest)))
    inside = sum(len(re.findall(r"\w{2,}", label)) for label in links)
    return outside < 0.15 * inside


def _convert_html(text: str) -> str:
    """Returns the text with HTML tables and preformatted blocks outside of code made Markdown, and comments gone."""

    def convert(prose: str) -> str:
        for opening, closing in COMMENTS:
            prose = _drop_spans(prose, opening, closing)
        for name in ("table", "pre"):
            prose = _replace_elements(prose, name)
        return prose

    return _outside_code(text, convert) if "<" in text or "{/*" in text else text


def _unwrap(text: str) -> str:
    """Returns the text with each paragraph in one line, as it is shown; lines that are tags or end in a break stay apart."""
    lines = text.split("\n")
    glued = [False] * len(lines)

    def visit(found: Iterable[Block]) -> None:
        for block in found:
            if block.kind == "paragraph":
                for at in range(block.start + 1, block.end):
                    glued[at] = not (KEPT_BREAK.search(lines[at - 1]) or KEPT_LINE.match(lines[at]))
            elif block.kind in ("list", "item"):
                visit(block.children)

    visit(blocks(text))
    out: list[str] = []
    for line, joined in zip(lines, glued, strict=True):
        if joined:
            out[-1] = f"{out[-1].rstrip()} {line.lstrip()}"
        else:
            out.append(line)
    return "\n".join(out)


def _drop_spans(text: str, opening: str, closing: str) -> str:
    """Returns the text without what is between two marks, both included; linear, whatever is left open."""
    out, at = list[str](), 0
    while (start := text.find(opening, at)) >= 0 and (end := text.find(closing, start)) >= 0:
        out.append(text[at:start])
        at = end + len(closing)
    return "".join([*out, text[at:]])


def _replace_elements(text: str, name: str) -> str:
    """Returns the text with each whole `<name>...</name>` converted; linear, whatever is left open."""
    lowered, out, at = text.lower(), list[str](), 0
    while (start := lowered.find(f"<{name}", at)) >= 0:
        end = lowered.find(f"</{name}>", start)
        if end < 0:
            break
        end += len(name) + 3
        out += [text[at:start], "\n\n", html_fragment_to_markdown(text[start:end]), "\n\n"]
        at = end
    return "".join([*out, text[at:]])


def _outside_code(text: str, change: Callable[[str], str], indented_code: bool = True) -> str:
    """Returns the text with `change` applied to each run of lines that is no code; code by indentation becomes fenced."""
    lines = text.split("\n")
    inside = code_lines(text, indented_code)
    out: list[str] = []
    start = 0
    for end in range(1, len(lines) + 1):
        if end < len(lines) and inside[end] == inside[start]:
            continue
        run = "\n".join(lines[start:end])
        out.append(_fence_if_indented(run) if inside[start] else change(run))
        start = end
    return "\n".join(out)


def _fence_if_indented(run: str) -> str:
    lines = run.split("\n")
    if FENCE.match(lines[0]):
        return "\n".join([re.sub(r"^(\s*(?:`{3,}|~{3,})\s*[\w+#.-]*).*$", r"\1", lines[0]), *lines[1:]])
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    if indent != 4:  # Inside a list or a quote, where a fence would have to keep the place.
        return run
    return fence_code("\n".join(line[4:] for line in lines).strip("\n"))


def _drop_contents_lists(text: str) -> str:
    """Returns the text without headings such as `Table of contents` and the list right below them."""
    if not re.search(r"^#{1,6}\s.*(?:contents|on this page|in this|toc)", text, re.IGNORECASE | re.MULTILINE):
        return text
    out, dropping = [], False
    for line in text.split("\n"):
        heading = HEADING.match(line)
        if heading:
            dropping = bool(CONTENTS_HEADING.match(plain_words(heading[2])))
        elif dropping and line.strip() and not LIST_MARKER.match(line):
            dropping = False
        if not dropping:
            out.append(line)
    return "\n".join(out)
