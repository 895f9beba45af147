"""The model card: both ways to use a model, and only what is known of its base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finetrieve.core.training_record import TrainingRecord
from finetrieve.retrieval.base_model import resolve_base_model
from finetrieve.training.model_card import model_card

RECORD: dict[str, Any] = {
    "base_model": "embedded",
    "n_pairs": 1_200,
    "n_chunks": 300,
    "steps": 34,
    "batch_size": 64,
    "loss_name": "mnrl",
    "chosen": {"step": 34, "base_share": 0.1},
}


def test_the_card_shows_both_ways_and_names_the_published_base_with_its_licence() -> None:
    card = model_card(TrainingRecord.model_validate(RECORD), str(resolve_base_model("embedded")))
    header = card.split("---")[1]
    assert "base_model: sentence-transformers/all-MiniLM-L6-v2" in header and "license: apache-2.0" in header
    assert 'SentenceTransformer("path/to/model")' in card and 'MultiVectorEncoder("path/to/model/late")' in card
    assert "1,200 query-chunk pairs" in card and "step 34 and 10% of the base" in card


def test_what_is_not_known_of_a_base_is_left_out(tmp_path: Path) -> None:
    header = model_card(TrainingRecord.model_validate({**RECORD, "base_model": str(tmp_path)}), str(tmp_path)).split("---")[1]
    assert "base_model" not in header and "license" not in header
    named = model_card(TrainingRecord.model_validate({**RECORD, "base_model": "org/name", "dev_is": "human"}), "org/name")
    assert "base_model: org/name" in named and "Questions of people chose step 34" in named
