"""Cross-encoders: a real one, small and untrained, and what is said of a folder that holds none."""

from __future__ import annotations

from pathlib import Path

import pytest
from sentence_transformers import CrossEncoder
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from finetrieve.core.errors import InputError
from finetrieve.retrieval.base_model import EMBEDDED, resolve_base_model
from finetrieve.retrieval.reranker import CrossEncoderReranker

PAIRS = [("how do I clean a pump", "pumps are cleaned with water"), ("how do I clean a pump", "doors are painted")]


def save(folder: Path, n_labels: int = 1) -> Path:
    """Returns the folder of a cross-encoder of one small layer with the embedded model's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(str(resolve_base_model(EMBEDDED)))
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=n_labels,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_scores_are_the_cross_encoders_and_no_pair_is_scored_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save(tmp_path / "model")
    reranker = CrossEncoderReranker(folder)
    found = reranker.scores(PAIRS)
    assert found == pytest.approx(CrossEncoder(str(folder)).predict(PAIRS), abs=1e-5)
    monkeypatch.setattr(CrossEncoder, "predict", None)
    assert reranker.scores([PAIRS[1], PAIRS[1], PAIRS[0]]).tolist() == [found[1], found[1], found[0]]


def test_a_model_with_several_numbers_for_a_pair_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gives 3 numbers for a pair"):
        CrossEncoderReranker(save(tmp_path / "model", 3)).scores(PAIRS)


def test_a_folder_that_is_no_model_is_named_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model directory"):
        CrossEncoderReranker(tmp_path)
