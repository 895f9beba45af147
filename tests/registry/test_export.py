from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from finetrieve.cli.export import hand_over
from finetrieve.core.errors import InputError
from finetrieve.engines.folder import write_folder
from finetrieve.registry import export
from finetrieve.registry.export import check_target, export_model
from finetrieve.retrieval.base_model import resolve_base_model
from finetrieve.retrieval.encoder import load_encoder
from tests.small_disk import read_only_disk


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="empty folder"):
        check_target(tmp_path / "full", onnx=False)
    check_target(tmp_path / "new", onnx=False)


def test_a_read_only_disk_is_one_clear_line_for_a_model_a_dataset_and_vectors(tmp_path: Path) -> None:
    def nothing(folder: Path) -> None:
        raise AssertionError(f"{folder} was made")

    with read_only_disk(tmp_path / "disk") as disk:
        target = disk / "new"
        said = f"'{target}' cannot be written: Read-only file system; give a folder that you may write to."
        with pytest.raises(InputError, match=re.escape(f"--to {said}")):
            export_model(Path(resolve_base_model("embedded")), target, onnx=False)
        with pytest.raises(InputError, match=re.escape(f"--to {said}")):
            hand_over(nothing, str(target), None, "dataset", True, True, "Dataset", [])
        with pytest.raises(InputError, match=re.escape(said)):
            write_folder(target, {"engine": "files", "key": "a"}, nothing)


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ONNX_MODULES", ("no_such_package_for_onnx",))
    with pytest.raises(InputError, match=r"pip install -e '\.\[onnx\]'"):
        check_target(tmp_path / "new", onnx=True)


@pytest.mark.slow
def test_the_onnx_model_gives_the_models_vectors(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    export_model(Path(resolve_base_model("embedded")), tmp_path / "model", onnx=True)
    encoder = load_encoder(tmp_path / "model", device="cpu")
    read = encoder.tokenize(["how do I clean the pump?"])
    session = onnxruntime.InferenceSession(str(tmp_path / "model" / "onnx" / "model.onnx"))
    [tokens] = session.run(None, {item.name: read[item.name].numpy() for item in session.get_inputs()})
    mean = tokens[0].mean(axis=0)
    assert np.allclose(mean / np.linalg.norm(mean), encoder.encode(["how do I clean the pump?"])[0], atol=1e-4)
