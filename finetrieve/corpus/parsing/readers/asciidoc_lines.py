"""What a line of AsciiDoc begins: a heading, a fence, an item of a list, attributes of a block."""

from __future__ import annotations

import re

HEADING = re.compile(r"^(={1,6}|#{1,6})\s+(\S.*?)(?:\s+\1)?\s*$")
UNDERLINES = "=-~^+"
ATTRIBUTE = re.compile(r"^:(!?[\w][\w-]*!?):(?:\s+(.*))?$")
BLOCK_ATTRIBUTES = re.compile(r"^\[(?:|[^\[\]\s].*)\]\s*$")
BLOCK_ANCHOR = re.compile(r"^\[\[([\w:.-]+)(?:,.*)?\]\]\s*$")
TITLE = re.compile(r"^\.(\S.*)$")
FENCE = re.compile(r"^(-{4,}|\.{4,}|={4,}|\*{4,}|_{4,}|/{4,}|\+{4,}|--|`{3,}\S*.*|[|,:!]={3,})\s*$")
BLOCK_MACRO = re.compile(r"^([a-z][\w-]*)::(\S*?)\[(.*)\]\s*$")
BULLET = re.compile(r"^\s*([*•]{1,6}|-)\s+(?=\S)")
NUMBER = re.compile(r"^\s*(\.{1,6}|\d+\.|[a-zA-Z]\.|[ivxIVX]+\))\s+(?=\S)")
CALLOUT = re.compile(r"^<(\d+|\.)>\s+(?=\S)")
TERM = re.compile(r"^\s*(\S.*?)(:{2,4}|;;)(?:\s+(.*))?$")


def style_of(options: str) -> str:
    """Returns the style that attributes in brackets give a block: `source`, `NOTE`, or an empty string."""
    for group in re.findall(r"\[([^\[\]]*)\]", options):
        first = re.split(r"[,%#.]", group.strip())[0].strip().strip('"')
        if first and "=" not in first:
            return str(first)
        if re.match(r"^,\s*[\w+#-]+", group):
            return "source"
    return ""


def marker(line: str) -> tuple[str, str] | None:
    """Returns the kind of list that a line is an item of, and its mark."""
    if match := BULLET.match(line):
        return "bullet", match[1]
    if match := NUMBER.match(line):
        mark = match[1]
        return "number", mark if mark[0] == "." else "1." if mark[0].isdigit() else "a."
    if CALLOUT.match(line):
        return "callout", "<>"
    match = TERM.match(line)
    if match and not BLOCK_MACRO.match(line) and not line.startswith("//") and "://" not in f"{match[1]}{match[2]}"[-4:]:
        return "term", match[2]
    return None


def is_item(line: str) -> bool:
    """Whether a line begins an item of a list."""
    return marker(line) is not None


def ends_paragraph(line: str) -> bool:
    """Whether a line ends the paragraph above it without a blank line between them."""
    stripped = line.rstrip()
    is_attributes = BLOCK_ATTRIBUTES.match(stripped) is not None and re.match(r"^\[(?:[\w%.#,]|source)", stripped) is not None
    return FENCE.match(stripped) is not None or is_attributes or BLOCK_ANCHOR.match(stripped) is not None or stripped == "+"


def closing(lines: list[str], at: int) -> int:
    """Returns the line that closes a fence, or the end of the text."""
    fence = lines[at].rstrip()
    fence = "```" if fence.startswith("```") else fence
    return next((end for end in range(at + 1, len(lines)) if lines[end].rstrip() == fence), len(lines))


def underlined(lines: list[str], at: int) -> int:
    """Returns the level of a heading whose title is underlined, or 0."""
    if at + 1 >= len(lines):
        return 0
    title, line = lines[at].rstrip(), lines[at + 1].rstrip()
    if len(line) < 3 or line[0] not in UNDERLINES or set(line) != {line[0]} or abs(len(line) - len(title)) > 1:
        return 0
    return UNDERLINES.index(line[0]) + 1 if re.search(r"\w", title) else 0


def dedented(lines: list[str]) -> list[str]:
    """Returns the lines without the blanks that all of them begin with."""
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[indent:] for line in lines]


def titles(lines: list[str]) -> dict[str, str]:
    """Returns the names that titles can be referred to by -> their words."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        if (match := BLOCK_ANCHOR.match(line)) or (match := re.match(r"^\[[\w]*#([\w:-]+)", line)):
            names.append(match[1])
        elif (match := HEADING.match(line)) or (names and (match := re.match(r"^(\.)(\S.*)$", line))):
            words = re.sub(r"[*_`#]", "", match[2])
            own = re.sub(r"[\s.-]+", "_", re.sub(r"[^\w\s.-]", "", words.lower())).strip("_")
            for name in [*names, f"_{own}", own, own.replace("_", "-"), words]:
                found.setdefault(name, words)
            names = []
        elif line.strip() and not line.startswith((":", "//")):
            names = []
    return found
