"""Markdown as people publish it made Markdown worth retrieving: words and code stay, the site around them goes."""

from __future__ import annotations

import re
from collections.abc import Callable

import yaml

from finetrieve.corpus.parsing.drawn_tables import without_frames
from finetrieve.corpus.parsing.markdown import code_lines, fence_indented_code, fenced_lines
from finetrieve.corpus.parsing.markdown_writer import MarkdownWriter
from finetrieve.corpus.parsing.markup import components_around_code, convert_markup, highlighted_as_fences
from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.parsing.prose import HEADING, clean_plain_prose, plain_words
from finetrieve.corpus.parsing.removal import FRONT_MATTER, Removals

MAX_FRONT_MATTER = 20_000
"""Characters; what is longer is no front matter."""
MIN_DESCRIPTION_WORDS = 3
"""A front matter's description with fewer repeats the title."""
COMPONENT = re.compile(r"^\s*<[A-Z]\w*[a-z][\w.]*[\s/>]", re.MULTILINE)
"""Pages with components are MDX, where four spaces make no code."""
MAX_OPEN = 1000
"""Brackets that open and do not close in a text: more are no links, and a parser would look for the end of each."""
SURELY_MARKDOWN = re.compile(
    r"^#{2,6} \S|^\s*(?:```|~~~)|\]\(|^\|[ :|-]+\|\s*$|\A#{1,6} [^\n]+\n\s*\n|^<(?:p|div|table|ul|h\d|pre)\b", re.MULTILINE
)


def clean_markdown(text: str) -> CleanPage:
    """Returns title and clean Markdown of a Markdown or MDX page."""
    removals = Removals()
    title, body = split_front_matter(text, removals)
    return _clean(title, body, text, removals, indented_code=not COMPONENT.search(body))


def clean_row(text: str) -> CleanPage:
    """Returns the page that a text of unknown kind is, such as a row of a table: Markdown, or plain with a stray `#` or `<`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not SURELY_MARKDOWN.search(text):
        return clean_plain(text)
    return _clean("", text, text, Removals(), indented_code=False, unwrap=False)


def clean_plain(text: str) -> CleanPage:
    """Returns plain text as Markdown that means the same: a `#` starts a comment in it rather than a heading."""
    removals = Removals()
    return CleanPage("", tidy(clean_plain_prose(without_frames(text, removals))), source=text, removals=tuple(removals.found))


def split_front_matter(text: str, removals: Removals | None = None) -> tuple[str, str]:
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
        if removals is not None:
            removals.add(FRONT_MATTER, head)
        body = text[end.end() :].lstrip("\n")
        return title, f"{description}\n\n{body}" if len(description.split()) >= MIN_DESCRIPTION_WORDS else body
    return "", text


def first_heading(text: str) -> str:
    """Returns the words of the heading that titles a clean page, or an empty string: the first top-level one.

    Without any it is the heading that the page begins with, when all others stand below it.
    """
    if "# " not in text:
        return ""
    lines = text.split("\n")
    fenced = fenced_lines(lines)
    found = [(at, match) for at, line in enumerate(lines) if not fenced[at] and (match := HEADING.match(line))]
    top = next((words for _, match in found if len(match[1]) == 1 and (words := plain_words(match[2]))), "")
    if top or not found or any(line.strip() for line in lines[: found[0][0]]):
        return top
    first, *others = [len(match[1]) for _, match in found]
    return plain_words(found[0][1][2]) if all(level > first for level in others) else ""


def readable_name(name: str) -> str:
    """Returns a file name, path or URL as a title: `setting-up_x.md` -> `Setting up x`; versions and dates stay whole."""
    stem = re.sub(r"^[a-z]+://", "", name).split("?")[0].split("#")[0].rstrip("/")
    parts = [part for part in stem.split("/") if part]
    last = (
        re.sub(
            r"\.(?:mdx?|markdown|rst|html?|txt|ipynb|pdf|docx|epub|adoc|asciidoc|asc|php|aspx?)$",
            "",
            parts[-1],
            flags=re.IGNORECASE,
        )
        if parts
        else name
    )
    if last.lower() in ("readme", "index", "default", "_index") and len(parts) > 1:
        last = parts[-2]
    spaced = re.sub(r"(?<!\d)[-\s]+|[-\s]+(?!\d)|(?<!\b\d{4})(?<!\b\d{4}-\d\d)-(?=\d)|_+", " ", last)
    words = re.sub(r"^\d{1,3}(?:[-_ ]+|\. *)(?=[^\W\d_])", "", spaced).strip() or last
    return words[:1].upper() + words[1:]


def tidy(text: str) -> str:
    """Returns the text without trailing blanks and runs of empty lines."""
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def _clean(title: str, body: str, source: str, removals: Removals, indented_code: bool, unwrap: bool = True) -> CleanPage:
    # 1. What a parser of Markdown does not know: drawn tables, tags, templates. Code keeps every character.
    body = highlighted_as_fences(body, removals)
    body = outside_code(body, _without_endless_links) if body.count("[") > MAX_OPEN else body
    body = fence_indented_code(body) if indented_code else body
    body = outside_code(body, lambda prose: without_frames(prose, removals))
    around_code = components_around_code(_runs_outside_code(body))
    body = outside_code(body, lambda prose: convert_markup(prose, removals, around_code))
    # 2. What a parser does know.
    writer = MarkdownWriter(removals, unwrap)
    written = tidy("\n\n".join(writer.write(body)))
    return CleanPage(
        title or first_heading(written), written, writer.mostly_links, frozenset(writer.links), source, tuple(removals.found)
    )


def _without_endless_links(prose: str) -> str:
    return prose.replace("[", "\\[") if prose.count("[") - prose.count("]") > MAX_OPEN else prose


def _front_matter_words(head: str, fence: str) -> tuple[str, str]:
    """Returns title and description, as they are written: `1.10` is no number, and `No` no truth value."""
    fields: object = None
    if fence == "---":
        try:
            fields = yaml.load(head, Loader=yaml.BaseLoader)
        except (yaml.YAMLError, ValueError, RecursionError):
            fields = None
    if not isinstance(fields, dict):
        fields = dict(re.findall(r"^(title|description)\s*[:=]\s*[\"']?(.+?)[\"']?\s*$", head, re.MULTILINE | re.IGNORECASE))
    fields = {str(key).lower(): value for key, value in fields.items()}
    title, description = fields.get("title"), fields.get("description")
    return (
        plain_words(title) if isinstance(title, str) and any(map(str.isalnum, title)) else "",
        " ".join(description.split()) if isinstance(description, str) else "",
    )


def _runs_outside_code(text: str) -> list[str]:
    runs: list[str] = []

    def note(run: str) -> str:
        runs.append(run)
        return run

    outside_code(text, note)
    return runs


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """Returns the text with `change` applied to each run of lines that is no fenced code."""
    lines = text.split("\n")
    inside = code_lines(text, indented_code=False)
    out: list[str] = []
    start = 0
    for end in range(1, len(lines) + 1):
        if end < len(lines) and inside[end] == inside[start]:
            continue
        run = "\n".join(lines[start:end])
        out.append(run if inside[start] else change(run))
        start = end
    return "\n".join(out)
