"""Our own questions scored by the base model: once on a machine for each model, and again for another one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

from finetrieve.evaluation.guard import LayQuestions
from finetrieve.retrieval.encoder import load_encoder
from tests.training.test_train import ACTIONS, THINGS

TEXTS = [f"Open settings and {action} the {thing}." for thing in THINGS for action in ACTIONS]
QUESTIONS = LayQuestions([f"how do I {text[18:-1]}?" for text in TEXTS], TEXTS, [[row] for row in range(len(TEXTS))])


class Asked(LayQuestions):
    """Questions that note how often a model was asked them."""

    times = 0

    def ndcg(self, encoder: SentenceTransformer) -> dict[str, np.ndarray]:
        Asked.times += 1
        return super().ndcg(encoder)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    Asked.times = 0
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def asked(count: int) -> Asked:
    return Asked(QUESTIONS.queries[:count], QUESTIONS.texts, QUESTIONS.answers[:count])


def test_a_base_model_is_asked_once_and_its_scores_stay_what_they_were(tiny_model: Path) -> None:
    base = load_encoder(tiny_model)
    made = asked(40).ndcg(base)
    first, second = (asked(40).base_ndcg(base, str(tiny_model)) for _ in range(2))
    assert Asked.times == 2
    for scores in (first, second):
        assert set(scores) == {"dense", "late"}
        for way, values in scores.items():
            np.testing.assert_array_equal(values, made[way])
    assert 0 < made["late"].mean() < 1


def test_other_questions_and_another_model_are_scored_anew(tiny_model: Path, tmp_path: Path) -> None:
    base = load_encoder(tiny_model)
    asked(40).base_ndcg(base, str(tiny_model))
    assert len(asked(39).base_ndcg(base, str(tiny_model))["dense"]) == 39
    base.save(str(tmp_path / "other"), create_model_card=False)
    file = tmp_path / "other" / "model.safetensors"
    weights = load_file(file)
    save_file({name: weight + 0.05 * weight.abs().max() for name, weight in weights.items()}, file, metadata={"format": "pt"})
    other = load_encoder(tmp_path / "other")
    scores = asked(40).base_ndcg(other, str(tmp_path / "other"))
    assert Asked.times == 3
    np.testing.assert_array_equal(scores["late"], asked(40).ndcg(other)["late"])


def test_where_nothing_can_be_kept_the_model_is_asked_each_time(tiny_model: Path, empty_cache: Path) -> None:
    empty_cache.write_text("a file where the folder would be")
    base = load_encoder(tiny_model)
    for _ in range(2):
        assert len(asked(8).base_ndcg(base, str(tiny_model))["dense"]) == 8
    assert Asked.times == 2
