"""One model, two ways to search: the multi-vector form gives the token vectors that evaluation scores."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import MultiVectorEncoder, SentenceTransformer

from finetrieve.core.errors import InputError
from finetrieve.retrieval.encoder import load_encoder
from finetrieve.retrieval.late_interaction import TokenIdf, encode_with_tokens
from finetrieve.retrieval.multi_vector import LateSettings, as_multi_vector, chunk_tokens, save_late, token_idf

TEXTS = ["How do I clean the pump?", "Pump > Care\nRinse the pump \N{DROPLET} with water, then dry it.", "pump"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("saved") / "model"
    load_encoder("embedded", device="cpu").save_pretrained(str(directory), create_model_card=False)
    assert save_late(directory, TEXTS)
    return directory


@pytest.mark.slow
def test_both_forms_load_and_give_the_vectors_that_are_scored(saved: Path) -> None:
    dense, tokens = encode_with_tokens(load_encoder(saved, device="cpu"), TEXTS)
    whole = SentenceTransformer(str(saved), device="cpu").encode(TEXTS, show_progress_bar=False)
    assert np.allclose(dense, whole, atol=1e-5)
    late = MultiVectorEncoder(str(saved / "late"), device="cpu")
    for encode in (late.encode_query, late.encode_document):
        found = encode(TEXTS, convert_to_numpy=True, show_progress_bar=False)
        for row, vectors in enumerate(found):
            own = tokens.part(row, row + 1).vectors
            assert own.shape == vectors.shape
            assert np.allclose(own, vectors, atol=1e-3)  # ours are kept in half precision
    assert late.similarity_fn_name == "meanmaxsim"


def test_the_weights_are_stored_once(saved: Path) -> None:
    assert (saved / "model.safetensors").samefile(saved / "late" / "model.safetensors")


def test_a_file_system_without_hard_links_gets_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no hard links here")

    load_encoder("embedded", device="cpu").save_pretrained(str(tmp_path), create_model_card=False)
    monkeypatch.setattr(os, "link", refuse)
    assert save_late(tmp_path)
    assert not (tmp_path / "model.safetensors").samefile(tmp_path / "late" / "model.safetensors")
    assert not (tmp_path / "late" / "token_idf.json").exists()
    assert not (tmp_path / "late" / "settings.json").exists()


def test_prompts_stand_in_front_in_both_forms(tmp_path: Path) -> None:
    encoder = load_encoder("embedded", device="cpu")
    encoder.prompts = {"query": "query: ", "passage": "passage: "}
    _, tokens = encode_with_tokens(encoder, TEXTS, role="document")
    found = as_multi_vector(encoder).encode_document(TEXTS, convert_to_numpy=True, show_progress_bar=False)
    assert [len(vectors) for vectors in found] == np.diff(tokens.starts).tolist()
    assert np.allclose(found[0], tokens.part(0, 1).vectors, atol=1e-3)


def test_rare_tokens_weigh_what_evaluation_weighs_them(saved: Path) -> None:
    encoder = load_encoder(saved, device="cpu")
    by_vectors = TokenIdf(encode_with_tokens(encoder, TEXTS)[1]).as_dict()
    assert token_idf(encoder, chunk_tokens(encoder, TEXTS)).as_dict() == by_vectors
    record = json.loads((saved / "late" / "token_idf.json").read_text())
    assert record["weights"] == {str(token): weight for token, weight in by_vectors.items()}
    # "pump" is in all three texts, ln(1 + .5 / 3.5); a token that no chunk has, ln(1 + 3.5 / .5).
    [pump] = encoder.tokenizer.encode("pump", add_special_tokens=False)
    assert (record["weights"][str(pump)], record["unseen"]) == pytest.approx((0.13353, 2.07944))


@pytest.mark.slow
def test_the_card_names_the_field_for_the_settings_that_were_asked_for(saved: Path) -> None:
    assert save_late(saved, TEXTS, LateSettings(128, "int8", 2), {"ndcg@10": {"value": 0.8}})
    settings = json.loads((saved / "late" / "settings.json").read_text())
    assert settings == {"dims": 128, "precision": "int8", "pooling": 2, "measured": {"ndcg@10": {"value": 0.8}}}
    card = (saved / "late" / "README.md").read_text()
    assert "tensor<int8>(t{},x[128])" in card and "MultiVectorComparator.MAX_SIM" in card
    assert "pa.list_(pa.float32(), 128)" in card and "Configure.MultiVectors" in card
    assert "and not the one above it" in card
    assert save_late(saved) and not (saved / "late" / "settings.json").exists()  # nothing stays of an earlier time
    with pytest.raises(InputError, match="999 dimensions"):
        save_late(saved, None, LateSettings(999))
