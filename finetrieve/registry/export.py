"""A version of a model written where a consumer wants it."""

from __future__ import annotations

import importlib.util
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from finetrieve.core.errors import InputError, writing_to
from finetrieve.core.staging import staging_folder
from finetrieve.retrieval.encoder import load_encoder
from finetrieve.retrieval.multi_vector import LateSettings, save_late

ONNX_MODULES = ("onnx", "onnxruntime")
_TOLERANCE = 1e-3
"""Between the token vectors of both, which are of the order of 1."""
_TEXTS = ("How do I start?", "A second text, longer than the first, so that one of the two is padded when both are read at once.")
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_OUTPUT = "last_hidden_state"


def check_target(target: Path, onnx: bool) -> None:
    """Checks before anything slow that the model can be written.

    Raises:
        InputError: The folder holds something, or ONNX was asked for and its packages are not there.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"--to '{target}' exists and is no empty folder; give a new one.")
    missing = [name for name in ONNX_MODULES if onnx and importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"--onnx needs {', '.join(missing)}, not installed here. Run: pip install -e '.[onnx]'")


def export_model(
    source: Path,
    target: Path,
    onnx: bool,
    texts: Sequence[str] | None = None,
    settings: LateSettings | None = None,
    measured: Mapping[str, Any] | None = None,
    card: Callable[[Path], None] | None = None,
) -> None:
    """Copies a model directory to `target` with its multi-vector form in `late/`, whole or not at all.

    Args:
        source: A model directory.
        target: A folder that does not exist or is empty.
        onnx: Also write `onnx/model.onnx`.
        texts: The chunks that the model searches, as they are embedded: how rare their tokens are goes with `late/`.
        settings: How token vectors are to be stored.
        measured: What these settings were measured to cost and score.
        card: Writes the model's card into its directory; None leaves the one from its training.

    Raises:
        InputError: The folder cannot be written.
    """
    with writing_to(f"--to '{target}'"):
        target.parent.mkdir(parents=True, exist_ok=True)
        with staging_folder(target.parent) as staging:
            fresh = staging / "model"
            shutil.copytree(source, fresh)
            if card is not None:
                card(fresh)
            save_late(fresh, texts, settings, measured)
            if onnx:
                _add_onnx(fresh)
            if target.exists():
                target.rmdir()
            fresh.rename(target)


def _add_onnx(directory: Path) -> None:
    """Writes `onnx/model.onnx`: token vectors before pooling, as sentence-transformers' ONNX backend reads them.

    Raises:
        RuntimeError: The two models do not agree.
    """
    # torch's own exporter: optimum's would bring back an older transformers.
    import torch

    from finetrieve.registry.token_vectors import TokenVectors

    encoder = load_encoder(directory, device="cpu")
    read = encoder.tokenize(list(_TEXTS))
    names = [name for name in _INPUTS if name in read]
    transformer = encoder[0].auto_model
    assert isinstance(transformer, torch.nn.Module)
    network = TokenVectors(transformer, names).eval()
    target = directory / "onnx" / "model.onnx"
    target.parent.mkdir()
    axes = {name: {0: "batch", 1: "tokens"} for name in (*names, _OUTPUT)}
    inputs = tuple(read[name] for name in names)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, inputs, str(target), input_names=names, output_names=[_OUTPUT], dynamic_axes=axes, dynamo=False
        )
        expected = network(*inputs).numpy()
    _check_agreement(target, {name: read[name].numpy() for name in names}, expected)


def _check_agreement(path: Path, inputs: dict[str, Any], expected: npt.NDArray[np.float32]) -> None:
    import onnxruntime

    [found] = onnxruntime.InferenceSession(str(path)).run([_OUTPUT], inputs)
    apart = float(np.abs(found - expected)[inputs["attention_mask"].astype(bool)].max())
    if not apart < _TOLERANCE:
        raise RuntimeError(f"the ONNX model differs from the model by {apart:.2g}; nothing was written")
