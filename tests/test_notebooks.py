"""What holds of the notebooks without a run; tests/pipelines/test_after_a_retrain.py runs them on one."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest

import finetrieve
from tests.notebooks import NOTEBOOKS


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_uses_the_public_api_alone_and_defines_nothing(notebook: Path) -> None:
    code = ast.parse("\n\n".join(cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"))
    assert not [node for node in ast.walk(code) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    named = [node for node in ast.walk(code) if isinstance(node, ast.ImportFrom) and str(node.module).startswith("finetrieve")]
    assert [node.module for node in named] == ["finetrieve"]
    assert {alias.name for node in named for alias in node.names} <= set(finetrieve.__all__)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_no_output_of_a_notebook_names_a_place_on_somebodys_machine(notebook: Path) -> None:
    shown = [str(cell.outputs) for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    assert not [text for text in shown if "/root" in text or "/tmp" in text or "/home" in text]
