"""Docstrings in numpydoc, Google or Sphinx style as Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass

from finetrieve.corpus.parsing.docstring_markup import LIST_ITEM, dedent, inline_markup, rst_to_markdown


def _by_name(names: dict[str, str]) -> dict[str, str]:
    """Returns name -> section, of section -> its names with commas between them."""
    return {name: section for section, listed in names.items() for name in listed.split(", ")}


ITEM_SECTIONS = _by_name(
    {
        "Parameters": "parameters, args, arguments, params, keyword args, keyword arguments",
        "Other parameters": "other parameters",
        "Attributes": "attributes",
        "Returns": "returns, return",
        "Yields": "yields",
        "Receives": "receives",
        "Raises": "raises",
        "Warns": "warns",
        "Methods": "methods",
    }
)
"""Sections that list names with what they are."""
TEXT_SECTIONS = _by_name(
    {"Notes": "notes, note, tip", "Examples": "examples, example, usage", "Warnings": "warnings, warning, caution"}
)
DROPPED_SECTIONS = {"see also", "references", "citation", "todo", "index"}
"""Lists of other places: they answer nothing themselves."""
NAMELESS = {"Returns", "Yields", "Receives"}
"""Sections whose items may be a type alone."""
SPHINX_FIELDS = _by_name(
    {
        "Parameters": "param, parameter, arg, argument, key, keyword, kwarg",
        "Returns": "returns, return",
        "Yields": "yield, yields",
        "Raises": "raises, raise, except, exception",
        "Attributes": "ivar, var, cvar",
    }
)
NUMPY_HEADING = re.compile(r"^(\S[^\n]{0,40})\n(-{3,}|={3,})[ ]*$", re.MULTILINE)
GOOGLE_HEADING = re.compile(r"^([A-Z][A-Za-z ]{2,20}):[ ]*$")
SPHINX_FIELD = re.compile(r"^:(\w+)(?:[ \t]+([^:\n]*?))?:[ \t]*(.*)$")
NUMPY_ITEM = re.compile(r"^(\*{0,2}[\w.\\*`, {}'\"\[\]=-]+?)\s*(?: :\s*|:\s+|\s:$)(.*)$")
GOOGLE_ITEM = re.compile(r"^(\*{0,2}[\w.`]+)\s*(?:\(([^)]*(?:\([^)]*\)[^)]*)*)\))?:(?:\s+(.*)|$)")
TRIVIAL_NAMES = {"n_features_in_", "feature_names_in_"}
"""Attributes that every class of a library has."""
IGNORED = re.compile(r"(?:ignored|not used,? present .*|present (?:here )?for api consistency.*)\.?", re.IGNORECASE)


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
    for head, description in _entries(dedent(body).split("\n"), style, heading):
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
    text = rst_to_markdown("\n".join([*first, dedent("\n".join(rest))]))
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
