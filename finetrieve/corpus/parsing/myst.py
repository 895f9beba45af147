"""Directives of MyST in Markdown: their titles, options that say something, and content as Markdown; code only where code was."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable

from finetrieve.corpus.parsing.markdown import fence_code, table_of
from finetrieve.corpus.parsing.prose import says_something
from finetrieve.corpus.parsing.removal import MARKS, Removals

CODE = {"code-block", "code", "code-cell", "sourcecode", "ipython", "prompt", "testcode", "doctest", "parsed-literal", "mermaid",
    "graphviz",
        "math", "command-output", "program-output", "jupyter-execute"}  # fmt: skip
FROM_ELSEWHERE = {
    "toctree", "literalinclude", "include", "contents", "tableofcontents", "raw", "bibliography", "only-raw", "index",
}  # fmt: skip
WORDED_OPTIONS = {
    "caption", "alt", "title", "name-title", "subtitle", "legend", "summary", "header", "footer", "label", "description",
    "desc",
}  # fmt: skip
OPTION = re.compile(r"^:([\w-]+):[ \t]*(.*)$")

Again = Callable[[str], list[str]]


def directive_to_markdown(name: str, argument: str, content: str, removals: Removals, again: Again) -> list[str]:
    """Returns the blocks of a directive.

    Args:
        name: As in `{note}`.
        argument: What stands behind the name.
        content: The lines below, options included.
        removals: Notes what is taken out.
        again: Reads Markdown, as that of the page.
    """
    short = name.lower().split(":")[-1]
    options, body = _options(content)
    said = [value for key, value in options if key in WORDED_OPTIONS and value]
    removals.add(MARKS, " ".join([name, *(f"{key} {value if key not in WORDED_OPTIONS else ''}" for key, value in options)]))
    if short in FROM_ELSEWHERE:
        removals.add(MARKS, f"{argument} {content}")
        return []
    if short == "eval-rst":
        return _from_restructuredtext(body, removals)
    if short in CODE:
        language = argument.split()[0] if argument.split() else ""
        removals.add(MARKS, argument)
        caption = [f"**{words}**" for words in said]
        return [*caption, fence_code(body.strip("\n"), language)] if body.strip() else caption
    if short in ("figure", "image"):
        removals.add(MARKS, argument)
        alt = [value for key, value in options if key == "alt" and says_something(value, "")]
        return [*alt, *(value for key, value in options if key == "caption"), *again(body)]
    if short == "list-table":
        return [*([f"**{argument}**"] if argument else []), *_list_table(body, again)]
    if short == "csv-table":
        header = next((value for key, value in options if key == "header"), "")
        return [
            *([f"**{argument}**"] if argument else []),
            *_csv_table("\n".join([header, body.strip()] if header else [body.strip()])),
        ]
    return [*_title(argument), *said, *again(body)]


def _title(argument: str) -> list[str]:
    if not argument:
        return []
    if "(" in argument or re.fullmatch(r"[\w.]+\.[\w.]+|--?[\w-]+.*", argument):
        return [f"`{argument}`"]
    return [f"**{argument.replace('**', '')}**"]


def _options(content: str) -> tuple[list[tuple[str, str]], str]:
    """Returns the options at the top, as `:key: value` lines or as a block of YAML, and the lines below."""
    lines = content.split("\n")
    if lines[0].strip() == "---":
        end = next((at for at, line in enumerate(lines[1:], start=1) if line.strip() == "---"), 0)
        pairs = [line.partition(":") for line in lines[1:end]]
        return [(key.strip(), value.strip()) for key, _, value in pairs if key.strip()], "\n".join(lines[end + 1 :])
    options: list[tuple[str, str]] = []
    at = 0
    while at < len(lines):
        match = OPTION.match(lines[at])
        if match:
            options.append((match[1], match[2]))
        elif options and lines[at].startswith("  ") and lines[at].strip():
            options[-1] = (options[-1][0], f"{options[-1][1]} {lines[at].strip()}")
        else:
            break
        at += 1
    return options, "\n".join(lines[at:])


def _list_table(body: str, again: Again) -> list[str]:
    """Returns a list of lists as a table; a cell's paragraphs stand in one line."""
    rows: list[list[list[str]]] = []
    for line in body.split("\n"):
        match = re.match(r"^\s*([*-]) ([*-])(?: (.*))?$", line)
        cell = re.match(r"^\s+([*-])(?: (.*))?$", line)
        if match:
            rows.append([[match[3] or ""]])
        elif cell and rows and not (rows[-1][-1] and line.startswith("      ")):
            rows[-1].append([cell[2] or ""])
        elif rows:
            rows[-1][-1].append(line.strip())
        elif line.strip():
            return again(body)
    cells = [[" ".join(" ".join(again("\n".join(lines))).split()).replace("|", "\\|") for lines in row] for row in rows]
    return [table_of(cells)] if cells else []


def _csv_table(text: str) -> list[str]:
    rows = [
        [" ".join(cell.split()).replace("|", "\\|") for cell in row]
        for row in csv.reader(text.split("\n"), skipinitialspace=True)
        if row
    ]
    return [table_of(rows)] if rows else []


def _from_restructuredtext(text: str, removals: Removals) -> list[str]:
    from finetrieve.corpus.parsing.html import html_fragment_to_markdown
    from finetrieve.corpus.parsing.restructuredtext import restructuredtext_to_html

    written = html_fragment_to_markdown(restructuredtext_to_html(text, removals), removals)
    return [written] if written else []
