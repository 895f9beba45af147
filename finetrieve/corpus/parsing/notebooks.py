"""Notebooks as Markdown: text, code and what its outputs say, in the order of the cells, whatever the file lacks of metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from finetrieve.corpus.parsing.api_file import mapping_of
from finetrieve.corpus.parsing.markdown import fence_code

MAX_OUTPUT_CHARACTERS = 300
"""Longer plain outputs of a cell are results rather than documentation."""
PLAIN_RAW = ("", "text/markdown", "text/plain", "text/x-markdown")
"""Formats of raw cells that are read as Markdown; others are quoted as they are."""
SHOWN = "text/markdown"


def notebook_to_markdown(text: str) -> str:
    """Returns a notebook's text, code and raw cells in their order, with Markdown outputs and short plain ones.

    Raises:
        ValueError: The text is no notebook.
    """
    try:
        notebook = json.loads(text.removeprefix("\ufeff"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError("not a notebook: invalid JSON") from error
    cells = _cells(notebook)
    language = _language(mapping_of(notebook.get("metadata")))
    return "\n\n".join(part for cell in cells for part in _parts(cell, language) if part.strip())


def _cells(notebook: Any) -> list[Mapping[str, Any]]:
    """Returns the cells, which version 3 kept in worksheets."""
    if not isinstance(notebook, dict):
        raise ValueError("not a notebook: expected a JSON object with 'cells'")
    sheets = notebook.get("worksheets")
    holders = sheets if isinstance(sheets, list) else [notebook]
    found = [cells for holder in holders if isinstance(cells := mapping_of(holder).get("cells"), list)]
    if not found or len(found) < len(holders):
        raise ValueError("not a notebook: it has no list of 'cells'")
    return [cell for cells in found for cell in cells if isinstance(cell, dict)]


def _language(metadata: Mapping[str, Any]) -> str:
    kernel, info = mapping_of(metadata.get("kernelspec")), mapping_of(metadata.get("language_info"))
    return str(kernel.get("language") or info.get("name") or "python")


def _parts(cell: Mapping[str, Any], language: str) -> Iterator[str]:
    source = _joined(cell.get("source", cell.get("input")))
    kind = cell.get("cell_type")
    if kind == "code":
        if source.strip():
            yield fence_code(source.strip("\n"), language)
        yield from _outputs(cell.get("outputs"))
    elif kind == "heading":  # version 3
        yield f"{'#' * int(cell.get('level') or 1)} {source}"
    elif kind == "raw":
        metadata = mapping_of(cell.get("metadata"))
        form = str(metadata.get("raw_mimetype") or metadata.get("format") or "")
        yield source if form in PLAIN_RAW else fence_code(source.strip("\n"), form.rpartition("/")[2]) if source.strip() else ""
    else:
        yield source


def _outputs(outputs: Any) -> Iterator[str]:
    for output in map(mapping_of, outputs if isinstance(outputs, list) else []):
        data = mapping_of(output.get("data"))
        if SHOWN in data:
            yield _joined(data[SHOWN])
            continue
        text = _joined(output.get("text") or data.get("text/plain")).strip()
        is_result = len(text) > MAX_OUTPUT_CHARACTERS or text.startswith("<") or output.get("name") == "stderr"
        if text and not is_result:
            yield fence_code(text)


def _joined(source: Any) -> str:
    """Returns a text that notebooks keep whole or line by line."""
    return "".join(map(str, source)) if isinstance(source, list) else str(source or "")
