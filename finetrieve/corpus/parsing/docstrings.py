"""Docstrings in numpydoc, Google or Sphinx style as Markdown."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from finetrieve.corpus.parsing.markdown import fenced

ITEM_SECTIONS = {
    "parameters": "Parameters",
    "other parameters": "Other parameters",
    "args": "Parameters",
    "arguments": "Parameters",
    "params": "Parameters",
    "keyword args": "Parameters",
    "keyword arguments": "Parameters",
    "attributes": "Attributes",
    "returns": "Returns",
    "return": "Returns",
    "yields": "Yields",
    "receives": "Receives",
    "raises": "Raises",
    "warns": "Warns",
    "methods": "Methods",
}
"""Sections that list names with what they are."""
TEXT_SECTIONS = {
    "notes": "Notes",
    "note": "Notes",
    "examples": "Examples",
    "example": "Examples",
    "usage": "Examples",
    "warnings": "Warnings",
    "warning": "Warnings",
    "caution": "Warnings",
    "tip": "Notes",
}
DROPPED_SECTIONS = {"see also", "references", "citation", "todo", "index"}
"""Lists of other places: they answer nothing themselves."""
NAMELESS = {"Returns", "Yields", "Receives"}
"""Sections whose items may be a type alone."""
SPHINX_FIELDS = {
    "param": "Parameters",
    "parameter": "Parameters",
    "arg": "Parameters",
    "argument": "Parameters",
    "key": "Parameters",
    "keyword": "Parameters",
    "kwarg": "Parameters",
    "returns": "Returns",
    "return": "Returns",
    "yield": "Yields",
    "yields": "Yields",
    "raises": "Raises",
    "raise": "Raises",
    "except": "Raises",
    "exception": "Raises",
    "ivar": "Attributes",
    "var": "Attributes",
    "cvar": "Attributes",
}
NUMPY_HEADING = re.compile(r"^(\S[^\n]{0,40})\n(-{3,}|={3,})[ ]*$", re.MULTILINE)
GOOGLE_HEADING = re.compile(r"^([A-Z][A-Za-z ]{2,20}):[ ]*$")
SPHINX_FIELD = re.compile(r"^:(\w+)(?:[ \t]+([^:\n]*?))?:[ \t]*(.*)$")
NUMPY_ITEM = re.compile(r"^(\*{0,2}[\w.\\*`, {}'\"\[\]=-]+?)\s*(?: :\s*|:\s+|\s:$)(.*)$")
GOOGLE_ITEM = re.compile(r"^(\*{0,2}[\w.`]+)\s*(?:\(([^)]*(?:\([^)]*\)[^)]*)*)\))?:(?:\s+(.*)|$)")
GALLERY = "sphx_glr"
"""Sphinx-Gallery's names of example pages."""
TRIVIAL_NAMES = {"n_features_in_", "feature_names_in_"}
"""Attributes that every class of a library has."""
IGNORED = re.compile(r"(?:ignored|not used,? present .*|present (?:here )?for api consistency.*)\.?", re.IGNORECASE)
LIST_ITEM = re.compile(r"^\s*(?:[*+-]|\d{1,2}[.)]|#\.)\s+")
DROPPED_DIRECTIVES = {
    "versionadded",
    "versionchanged",
    "deprecated",
    "image",
    "figure",
    "index",
    "only",
    "include",
    "raw",
    "toctree",
    "contents",
    "currentmodule",
    "module",
    "autosummary",
    "rubric",
    "dropdown",
    "highlight",
    "minigallery",
    "literalinclude",
}
CODE_DIRECTIVES = {"code-block", "code", "sourcecode", "ipython", "plot", "doctest", "testcode", "prompt", "parsed-literal"}
DIRECTIVE = re.compile(r"^(\s*)\.\. ([\w:-]+)::\s*(.*)$")


@dataclass(frozen=True, slots=True)
class Docstring:
    """A docstring in its parts, each as Markdown."""

    summary: str
    """The first paragraph, in one line."""
    body: str
    """What follows it before the first section."""
    sections: tuple[tuple[str, str], ...]
    """Heading and text, in their order."""


def parse_docstring(raw: str) -> Docstring:
    """Returns the parts of a docstring; what is in no known style stays text."""
    text = inspect.cleandoc(raw).replace("\r\n", "\n").replace("\t", "    ")
    found: dict[str, list[str]] = {}
    intro = ""
    for name, kind, body in _raw_sections(text):
        if not name:
            intro = body
            continue
        key = name.lower()
        if key in DROPPED_SECTIONS:
            continue
        heading = ITEM_SECTIONS.get(key) or TEXT_SECTIONS.get(key) or name
        items = _items(body, kind, heading) if key in ITEM_SECTIONS else ""
        content = items or rst_to_markdown(body)
        if content.strip():
            found.setdefault(heading, []).append(content)
    summary, _, body = intro.strip().partition("\n\n")
    if re.match(r"\s*(?:>>>|\.\. )", summary) or LIST_ITEM.match(summary):
        summary, body = "", intro
    return Docstring(
        " ".join(inline_markup(" ".join(summary.split())).split()),
        rst_to_markdown(body),
        tuple((heading, "\n\n".join(parts)) for heading, parts in found.items()),
    )


def rst_to_markdown(text: str) -> str:
    """Returns the reStructuredText that docstrings are written in as Markdown, code and doctests fenced."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(_converted_lines(_dedented(text).split("\n")))).strip("\n")


def inline_markup(text: str) -> str:
    """Returns a run of text with reStructuredText's roles, references and literals as Markdown has them."""
    if "`" not in text and "_" not in text and "|" not in text:
        return text
    text = re.sub(r"(?:Read more|See more|For more (?:details|information)|See)[^.\n]{0,60}:ref:`[^`]*`[^.\n]{0,40}\.", "", text)
    text = re.sub(r":(?:[\w+.-]+:)*(?:ref|doc|term|pep|rfc|abbr|numref|any):`!?~?([^`<]*?)\s*(?:<[^`>]*>)?`", r"\1", text)
    text = re.sub(r":math:`([^`]*)`", lambda match: match[1].replace("\\", ""), text)
    text = re.sub(r":(?:[\w+.-]+:)*[\w+.-]+:`~(?:[\w]+\.)*(\w+[^`]*)`", r"`\1`", text)
    text = re.sub(r":(?:[\w+.-]+:)*[\w+.-]+:`!?([^`<]+?)\s*<[^`>]*>`", r"`\1`", text)
    text = re.sub(r":(?:[\w+.-]+:)*[\w+.-]+:`!?([^`]*)`", r"`\1`", text)
    text = re.sub(r"`([^`<]+?)\s*<[^`>]*>`__?", r"\1", text)
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    text = re.sub(r"`([^`]+)`__?(?!\w)", r"\1", text)
    text = re.sub(r"\s?\[(?:\d+|[A-Z]\w*)\]_", "", text)
    return re.sub(r"\|(\w[^|\n]*)\|_?(?!\w)", r"\1", text) if "`" not in text else text


# 1. Sections.


def _raw_sections(text: str) -> Iterator[tuple[str, str, str]]:
    """Yields (heading, style, body) of each section; the part before the first has no heading."""
    if NUMPY_HEADING.search(text):
        yield from _numpy_sections(text)
    elif any(SPHINX_FIELD.match(line) and SPHINX_FIELD.match(line)[1] in SPHINX_FIELDS for line in text.split("\n")):  # type: ignore[index]
        yield from _sphinx_sections(text)
    else:
        yield from _google_sections(text)


def _numpy_sections(text: str) -> Iterator[tuple[str, str, str]]:
    name, start = "", 0
    for match in NUMPY_HEADING.finditer(text):
        yield name, "numpy", text[start : match.start()]
        name, start = match[1].strip().rstrip(":"), match.end()
    yield name, "numpy", text[start:].lstrip("\n")


def _google_sections(text: str) -> Iterator[tuple[str, str, str]]:
    name, lines = "", list[str]()
    for line in text.split("\n"):
        match = GOOGLE_HEADING.match(line)
        known = match and match[1].lower() in {**ITEM_SECTIONS, **TEXT_SECTIONS, **dict.fromkeys(DROPPED_SECTIONS, "")}
        if match and known:
            yield name, "google", "\n".join(lines)
            name, lines = match[1], []
        elif name and line and not line.startswith(" "):  # The section ends where the indent does.
            yield name, "google", "\n".join(lines)
            name, lines = "Notes", [line]
        else:
            lines.append(line)
    yield name, "google", "\n".join(lines)


def _sphinx_sections(text: str) -> Iterator[tuple[str, str, str]]:
    intro: list[str] = []
    items: dict[str, list[str]] = {}
    types = dict(re.findall(r"^:type\s+(\w+):\s*(.*)$", text, re.MULTILINE))
    into: list[str] = intro
    for line in text.split("\n"):
        match = SPHINX_FIELD.match(line)
        if match is None:
            into.append(line if into is intro or not line.strip() else f"    {line.strip()}")
            continue
        section = SPHINX_FIELDS.get(match[1])
        if section is None:
            into = []
            continue
        *kind, name = (match[2] or "").split() or [""]
        shown = " ".join(kind) or types.get(name, "")
        into = items.setdefault(section, [])
        into.append(f"{name or 'value'}{f' ({shown})' if shown else ''}: {match[3]}" if section not in NAMELESS else match[3])
    yield "", "sphinx", "\n".join(intro)
    for section, lines in items.items():
        yield section, "sphinx", "\n".join(lines)


def _items(body: str, style: str, heading: str) -> str:
    """Returns the entries of a section as a list: `- **name** (type): what it is`."""
    entries = []
    for head, description in _entries(_dedented(body).split("\n"), style, heading):
        text = _flat(description)
        line = f"- {head}: {text}" if head and text else f"- {head or text}"
        if any(head.startswith(f"**{name}**") for name in TRIVIAL_NAMES):
            continue
        if (head or text) and not IGNORED.fullmatch(text):
            entries.append(line)
    return "\n".join(entries)


def _entries(lines: list[str], style: str, heading: str) -> Iterator[tuple[str, list[str]]]:
    """Yields the head of each entry (`**name** (type)`) and the lines that describe it."""
    head, description, open_entry = "", list[str](), False
    for line in lines:
        starts = bool(line.strip()) and not line.startswith(" ") and not LIST_ITEM.match(line) and not line.startswith("..")
        if starts:
            parsed = _item_head(line, style, heading)
            if parsed is None and style != "numpy":
                description.append(line)
                continue
            if open_entry:
                yield head, description
            head, first = parsed or (inline_markup(line.strip()), "")
            description, open_entry = [first] if first else [], True
        else:
            description.append(line)
    if open_entry or description:
        yield head, description


def _item_head(line: str, style: str, heading: str) -> tuple[str, str] | None:
    """Returns head and first words of the description, or None when the line begins no entry."""
    if style == "numpy":
        match = NUMPY_ITEM.match(line)
        if match:
            kind = inline_markup(match[2].strip())
            return f"**{_name(match[1])}**" + (f" ({kind})" if kind else ""), ""
        if heading in NAMELESS:
            return inline_markup(line.strip()), ""
        return f"**{_name(line)}**", ""
    match = GOOGLE_ITEM.match(line)
    if match is None or (heading in NAMELESS and match[2] is None and " " in line.split(":")[0]):
        return ("", inline_markup(line)) if heading in NAMELESS else None
    if heading in NAMELESS and match[2] is None:
        return _name(match[1]), match[3] or ""
    return f"**{_name(match[1])}**" + (f" ({inline_markup(match[2])})" if match[2] else ""), match[3] or ""


def _name(text: str) -> str:
    return text.strip().replace("\\", "").replace("`", "").rstrip(":")


def _flat(lines: list[str]) -> str:
    """Returns a description as one paragraph, with lists and code inside it below, indented."""
    first_is_inline = bool(lines) and not lines[0].startswith(" ")
    first, rest = (lines[:1], lines[1:]) if first_is_inline else ([], lines)
    text = rst_to_markdown("\n".join([*first, _dedented("\n".join(rest))]))
    parts: list[str] = []
    in_code = False
    for line in text.split("\n"):
        if line.startswith("```"):
            in_code = not in_code
            parts.append(f"\n  {line}")
        elif in_code or (LIST_ITEM.match(line)):
            parts.append(f"\n  {line}".rstrip() if line.strip() else "\n")
        elif line.strip():
            parts.append((" " if parts and not parts[-1].startswith("\n  ```") else "\n  " if parts else "") + line.strip())
    return "".join(parts).strip()


# 2. Markup.


def _converted_lines(lines: list[str]) -> Iterator[str]:
    at = 0
    paragraph: list[str] = []

    def flush() -> Iterator[str]:
        if paragraph:
            yield from _paragraph(paragraph)
            paragraph.clear()

    while at < len(lines):
        line = lines[at]
        directive = DIRECTIVE.match(line)
        if re.match(r"^\s*```", line):
            yield from flush()
            end = next((i for i in range(at + 1, len(lines)) if lines[i].strip().startswith("```")), len(lines) - 1)
            yield from lines[at : end + 1]
            at = end + 1
        elif line.lstrip().startswith(">>>"):
            yield from flush()
            end = at
            while end < len(lines) and (lines[end].strip() or _doctest_goes_on(lines, end)):
                end += 1
            yield from ["", fenced(_doctest(lines[at:end]), "python"), ""]
            at = end
        elif directive:
            yield from flush()
            end = _block_end(lines, at, len(directive[1]))
            yield from _directive(directive[2], directive[3], lines[at + 1 : end])
            at = end
        elif re.match(r"^\s*\.\. (?:\[|_|\|)", line) or line.strip() == "..":
            yield from flush()
            at = _block_end(lines, at, len(line) - len(line.lstrip()))
        elif line.rstrip().endswith("::") and at + 1 < len(lines):
            paragraph.append(re.sub(r"\s*::$", ":" if not line.rstrip().endswith(" ::") else "", line.rstrip()))
            yield from flush()
            end = _block_end(lines, at, len(line) - len(line.lstrip()))
            code = inspect.cleandoc("\n".join(["", *lines[at + 1 : end]]))
            yield from ["", fenced(code), ""] if code.strip() else [""]
            at = end
        elif not line.strip():
            yield from flush()
            yield ""
            at += 1
        else:
            paragraph.append(line)
            at += 1
    yield from flush()


def _paragraph(lines: list[str]) -> Iterator[str]:
    """Yields a paragraph in one line, each entry of a list in its own; what only points to a gallery is left out."""
    entries: list[str] = []
    for line in lines:
        if LIST_ITEM.match(line) or not entries:
            entries.append(line.rstrip())
        else:
            entries[-1] += f" {line.strip()}"
    for entry in entries:
        if GALLERY in entry:
            sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z:`])", entry)
            entry = " ".join(sentence for sentence in sentences if GALLERY not in sentence)
        if entry.strip():
            yield inline_markup(entry)


def _directive(name: str, argument: str, body: list[str]) -> Iterator[str]:
    options = 0
    while options < len(body) and re.match(r"^\s+:[\w-]+:", body[options]):
        options += 1
    content = inspect.cleandoc("\n".join(["", *body[options:]]))
    name = name.split(":")[-1]
    if name in CODE_DIRECTIVES:
        language = argument.split()[0] if argument.split() and re.fullmatch(r"[\w+#-]+", argument.split()[0]) else "python"
        yield from ["", fenced(content, language), ""] if content.strip() else [""]
    elif name not in DROPPED_DIRECTIVES:
        yield from ["", rst_to_markdown(f"{argument}\n{content}" if argument else content), ""]


def _block_end(lines: list[str], start: int, indent: int) -> int:
    """Returns the line after the block that belongs to the line `start`: all that is indented deeper than it."""
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    return end


def _dedented(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def _doctest_goes_on(lines: list[str], at: int) -> bool:
    """Whether the next line that is not blank is a prompt again."""
    following = next((line for line in lines[at:] if line.strip()), "")
    return following.lstrip().startswith(">>>")


def _doctest(lines: list[str]) -> str:
    """Returns an interactive session as a script: no prompts, and what was printed as comments."""
    code = _dedented("\n".join(lines))
    code = re.sub(r"[ ]*# ?doctest: ?.*$", "", code, flags=re.MULTILINE)
    script = []
    for line in code.split("\n"):
        prompt = re.match(r"(?:>>>|\.\.\.)(?: |$)", line)
        if prompt:
            script.append(line[prompt.end() :])
        elif line.strip():
            script.append(f"# {line}")
    return "\n".join(line for line in script if line.strip())
