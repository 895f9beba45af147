"""A version of a model written where a consumer wants it."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from pathlib import Path

from steps.errors import InputError

ONNX_MODULES = ("optimum", "onnx", "onnxruntime")


def check_target(target: Path, onnx: bool) -> None:
    """Checks before anything slow that the model can be written.

    Raises:
        InputError: The folder holds something, or ONNX was asked for and its packages are not there.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"--to '{target}' exists and is no empty folder; give a new one.")
    missing = [name for name in ONNX_MODULES if onnx and importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"--onnx needs {', '.join(missing)}, not installed here. Run: pip install 'finetrieve[onnx]'")


def export_model(source: Path, target: Path, onnx: bool) -> None:
    """Copies a model directory to `target`, whole or not at all; with `onnx` it also gets `onnx/model.onnx`.

    Raises:
        InputError: The folder cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".finetrieve-", dir=target.parent) as staging:
            fresh = Path(staging) / "model"
            shutil.copytree(source, fresh)
            if onnx:
                _add_onnx(fresh)
            if target.exists():
                target.rmdir()
            fresh.rename(target)
    except PermissionError as error:
        raise InputError(f"--to '{target}' cannot be written: {error.strerror}; give a folder that you may write to.") from None


def _add_onnx(directory: Path) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(directory), backend="onnx", model_kwargs={"export": True})
    model.save_pretrained(str(directory), create_model_card=False)
