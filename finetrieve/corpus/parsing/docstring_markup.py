"""The reStructuredText that docstrings are written in, as Markdown."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator

from finetrieve.core.text import word_set
from finetrieve.corpus.parsing.markdown import fence_code

GALLERY = "sphx_glr"
"""Sphinx-Gallery's names of example pages."""
LIST_ITEM = re.compile(r"^\s*(?:[*+-]|\d{1,2}[.)]|#\.)\s+")
DROPPED_DIRECTIVES = word_set(
    "versionadded versionchanged deprecated image figure index only include raw toctree contents currentmodule module "
    "autosummary rubric dropdown highlight minigallery literalinclude"
)
CODE_DIRECTIVES = {"code-block", "code", "sourcecode", "ipython", "plot", "doctest", "testcode", "prompt", "parsed-literal"}
DIRECTIVE = re.compile(r"^(\s*)\.\. ([\w:-]+)::\s*(.*)$")


def rst_to_markdown(text: str) -> str:
    """Returns the reStructuredText that docstrings are written in as Markdown, code and doctests fenced."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(_convert_lines(dedent(text).split("\n")))).strip("\n")


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


def _convert_lines(lines: list[str]) -> Iterator[str]:
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
            yield from ["", fence_code(_doctest(lines[at:end]), "python"), ""]
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
            yield from ["", fence_code(code), ""] if code.strip() else [""]
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
        yield from ["", fence_code(content, language), ""] if content.strip() else [""]
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


def dedent(text: str) -> str:
    """Returns the lines without the indent that all have, and without empty ones around them."""
    return textwrap.dedent(text).strip("\n")


def _doctest_goes_on(lines: list[str], at: int) -> bool:
    """Whether the next line that is not blank is a prompt again."""
    following = next((line for line in lines[at:] if line.strip()), "")
    return following.lstrip().startswith(">>>")


def _doctest(lines: list[str]) -> str:
    """Returns an interactive session as a script: no prompts, and what was printed as comments."""
    code = dedent("\n".join(lines))
    code = re.sub(r"[ ]*# ?doctest: ?.*$", "", code, flags=re.MULTILINE)
    script = []
    for line in code.split("\n"):
        prompt = re.match(r"(?:>>>|\.\.\.)(?: |$)", line)
        if prompt:
            script.append(line[prompt.end() :])
        elif line.strip():
            script.append(f"# {line}")
    return "\n".join(line for line in script if line.strip())
