"""Frozen layers stay as they were to the bit, and the others are trained."""

from __future__ import annotations

import copy

import pytest
import torch

from finetrieve.core.errors import InputError
from finetrieve.retrieval.encoder import load_encoder
from finetrieve.training.frozen_layers import freeze_layers


@pytest.fixture(scope="module")
def base() -> object:
    return load_encoder("embedded")


@pytest.mark.parametrize("n_layers", [0, 1, 3])
def test_words_and_lowest_layers_stay_and_the_others_learn(base: object, n_layers: int) -> None:
    model = copy.deepcopy(base)
    freeze_layers(model, n_layers)  # type: ignore[arg-type]
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}  # type: ignore[attr-defined]
    optimizer = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.1)  # type: ignore[attr-defined]
    features = model.preprocess(["how do I reset the clock"])  # type: ignore[attr-defined]
    model(features)["sentence_embedding"].sum().backward()  # type: ignore[operator]
    optimizer.step()
    moved = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}  # type: ignore[attr-defined]
    still = {name for name in before if ".layer." in name and int(name.split(".layer.")[1].split(".")[0]) < n_layers}
    words = {name for name in before if ".embeddings." in name}
    assert not moved & still
    assert not moved & words if n_layers else moved & words
    assert any(f".layer.{n_layers}." in name for name in moved)


@pytest.mark.parametrize("n_layers", [6, 40])
def test_a_model_with_nothing_left_to_train_is_refused(base: object, n_layers: int) -> None:
    with pytest.raises(InputError, match=f"frozen_layers is {n_layers}, but the base model has 6 layers; expected fewer"):
        freeze_layers(copy.deepcopy(base), n_layers)  # type: ignore[arg-type]


def test_a_model_whose_layers_cannot_be_told_apart_is_refused() -> None:
    with pytest.raises(InputError, match="layers of this base model cannot be told apart; set it to 0"):
        freeze_layers(torch.nn.Sequential(torch.nn.Linear(2, 2)), 1)  # type: ignore[arg-type]
