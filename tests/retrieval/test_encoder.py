"""Models: found and checked without torch, and asked for vectors."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from finetrieve.core.errors import InputError
from finetrieve.retrieval import encoder as encoders
from finetrieve.retrieval.base_model import (
    EMBEDDED,
    check_base_model,
    fetch_model,
    load_tokenizer,
    model_fingerprint,
    resolve_base_model,
)
from finetrieve.retrieval.encoder import encode, load_encoder
from finetrieve.training.resources import choose_precision
from tests.imported_modules import imported

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the embedded model that a test may damage; its weights are a link."""
    source = Path(resolve_base_model(EMBEDDED))
    copy = tmp_path / "model"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("model.safetensors"))
    (copy / "model.safetensors").symlink_to(source / "model.safetensors")
    return copy


@pytest.fixture(scope="module")
def encoder() -> SentenceTransformer:
    return load_encoder(EMBEDDED, max_tokens=64, device="cpu")


def _replace_weights(content: bytes) -> Callable[[Path], None]:
    def damage(model: Path) -> None:
        (model / "model.safetensors").unlink()
        (model / "model.safetensors").write_bytes(content)

    return damage


def _cut_off_weights(model: Path) -> None:
    with (model / "model.safetensors").open("rb") as file:
        _replace_weights(file.read(100_000))(model)


def _delete_configuration(model: Path) -> None:
    (model / "modules.json").unlink()
    (model / "config.json").unlink()


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no weights": (lambda model: (model / "model.safetensors").unlink(), "it has no weights"),
    "weights cut off": (_cut_off_weights, "model.safetensors has 100,000 bytes, its header says 90,868,376"),
    "weights are a Git LFS pointer": (_replace_weights(b"version https://git-lfs.github.com/spec/v1\n"), "no safetensors file"),
    "weights empty": (_replace_weights(b""), r"no safetensors file \(0 bytes\)"),
    "configuration is no JSON": (lambda model: (model / "config.json").write_text("{"), "config.json is not valid JSON"),
    "configuration is an HTML page": (
        lambda model: (model / "modules.json").write_text("<html>"),
        "modules.json is not valid JSON",
    ),
    "modules.json lists nothing": (lambda model: (model / "modules.json").write_text("{}"), "lists no modules"),
    "a module is missing": (lambda model: shutil.rmtree(model / "1_Pooling"), "names '1_Pooling', which is not there"),
    "no configuration": (_delete_configuration, "neither modules.json nor config.json"),
}


@pytest.mark.parametrize(("damage", "problem"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("use", [check_base_model, load_tokenizer, model_fingerprint, load_encoder])
def test_a_broken_model_is_answered_in_one_line(
    model: Path, damage: Callable[[Path], Any], problem: str, use: Callable[[Path], Any]
) -> None:
    damage(model)
    with pytest.raises(InputError, match=problem) as error:
        use(model)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("ref", "problem"),
    [
        ("embeded", "Did you mean 'embedded'"),
        ("./no/such/model", "No model directory './no/such/model'"),
        ("a b", "No model directory 'a b'"),
        (Path("models/mine"), "No model directory 'models/mine'"),
        (__file__, "is a file; expected a model directory"),
    ],
)
def test_a_model_that_is_not_there_is_answered_with_what_was_expected(ref: str | Path, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        check_base_model(ref)


def test_a_hub_id_stays_one() -> None:
    assert resolve_base_model("org/name-1.5") == "org/name-1.5"


def test_a_model_without_the_empty_folder_of_its_normalisation_is_whole(model: Path) -> None:
    shutil.rmtree(model / "2_Normalize", ignore_errors=True)
    assert resolve_base_model(model) == model
    assert fetch_model(model) == model


def test_checking_a_model_does_not_load_torch() -> None:
    code = (
        "from finetrieve.retrieval.base_model import *\n"
        "check_base_model('embedded'); model_fingerprint('embedded'); load_tokenizer('embedded')"
    )
    assert imported(code, "torch", "transformers", "sentence_transformers") == set()


def test_fingerprint_follows_the_content_only(model: Path) -> None:
    before = model_fingerprint(model)
    (model / "config.json").touch()
    (model / "README.md").write_text("another card")
    assert model_fingerprint(model) == before
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}))
    assert model_fingerprint(model) != before


def test_tokenizer_neither_cuts_nor_pads() -> None:
    tokenizer = load_tokenizer(EMBEDDED)
    assert len(tokenizer.encode("word " * 1_000).ids) == 1_002
    assert len(tokenizer.encode("word").ids) == 3


def test_rows_are_unit_vectors_in_the_order_of_the_texts(encoder: SentenceTransformer) -> None:
    texts = ["a phone", "how to reset a phone that no longer answers to anything", "a phone", ""]
    calls: list[tuple[int, int]] = []
    vectors = encode(encoder, texts, on_progress=lambda done, total: calls.append((done, total)))
    assert vectors.shape == (4, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)
    assert (vectors[0] == vectors[2]).all()
    assert calls == [(3, 3)]
    for row, text in enumerate(texts):
        assert encode(encoder, [text])[0] == pytest.approx(vectors[row], abs=1e-5)


def test_bfloat16_gives_almost_the_same_vectors(encoder: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "bf16_is_fast", lambda _: True)
    texts = [f"How do I set option {number} of the camera?" for number in range(20)]
    exact, fast = encode(encoder, texts), encode(encoder, texts, precision="auto")
    assert (exact != fast).any()
    assert (exact * fast).sum(axis=1) == pytest.approx(1, abs=5e-3)


@pytest.mark.parametrize(("times_as_fast", "used"), [(2.0, True), (0.5, False)])
def test_a_cpu_computes_in_bfloat16_where_that_is_faster(
    times_as_fast: float, used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    monkeypatch.setattr(encoders, "_bf16_speedup", lambda: times_as_fast)
    encoders._cpu_gains_by_bf16.cache_clear()
    try:
        assert encoders.bf16_is_fast(torch.device("cpu")) is used
        assert choose_precision("auto", torch.device("cpu")) == ("bf16" if used else "fp32")
    finally:
        encoders._cpu_gains_by_bf16.cache_clear()


def test_the_speed_of_bfloat16_is_measured_in_a_moment() -> None:
    started = time.perf_counter()
    assert 0.01 < encoders._bf16_speedup() < 100
    assert time.perf_counter() - started < 5


def test_no_texts_give_no_rows(encoder: SentenceTransformer) -> None:
    assert encode(encoder, []).shape == (0, 384)


def test_queries_get_the_models_query_prompt(encoder: SentenceTransformer) -> None:
    plain = encode(encoder, ["query: reset"])
    encoder.prompts["query"] = "query: "
    try:
        assert encode(encoder, ["reset"], role="query") == pytest.approx(plain, abs=1e-6)
        assert encode(encoder, ["query: reset"], role="document") == pytest.approx(plain, abs=1e-6)
    finally:
        encoder.prompts["query"] = ""


def test_input_is_never_longer_than_the_model_reads() -> None:
    assert load_encoder(EMBEDDED, max_tokens=100_000, device="cpu").max_seq_length == 512


def test_vectors_that_are_not_finite_are_refused(encoder: SentenceTransformer) -> None:
    import torch

    weight = next(encoder.parameters())
    saved = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(float("nan"))
    try:
        with pytest.raises(ValueError, match="not finite"):
            encode(encoder, ["reset"])
    finally:
        with torch.no_grad():
            weight.copy_(saved)
