"""Notebooks run in this process, cell by cell as a kernel runs them, and their outputs kept in the file.

`python -m tests.notebooks` writes the outputs of the last run into `notebooks/`, whose pages then show them.
"""

from __future__ import annotations

import ast
import contextlib
import io
from pathlib import Path
from typing import Any

import nbformat

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.ipynb"))


def executed(path: Path) -> Any:
    """Returns the notebook with the outputs of its cells; a cell's failure is raised."""
    notebook = nbformat.read(path, as_version=4)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1):
        cell.execution_count, cell.outputs = number, outputs(cell.source, namespace, number)
    return notebook


def outputs(source: str, namespace: dict[str, Any], number: int) -> list[Any]:
    """Runs a cell, and returns what it printed and what its last line is."""
    code, last, printed = ast.parse(source), None, io.StringIO()
    if code.body and isinstance(code.body[-1], ast.Expr):
        last = ast.Expression(code.body.pop().value)  # type: ignore[attr-defined]
    with contextlib.redirect_stdout(printed):
        exec(compile(code, f"cell {number}", "exec"), namespace)
        value = eval(compile(last, f"cell {number}", "eval"), namespace) if last else None
    made = [nbformat.v4.new_output("stream", name="stdout", text=printed.getvalue())] if printed.getvalue() else []
    if value is not None:
        shown = {"text/plain": repr(value)}
        if hasattr(value, "_repr_html_"):
            shown["text/html"] = value._repr_html_()
        made.append(nbformat.v4.new_output("execute_result", shown, execution_count=number))
    return made


if __name__ == "__main__":
    for place in NOTEBOOKS:
        nbformat.write(executed(place), place)
