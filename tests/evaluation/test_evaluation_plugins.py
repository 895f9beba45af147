"""One new file adds a loss, an arm and a reranker, by dotted name and by entry point, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finetrieve.core.errors import InputError
from finetrieve.evaluation.arms import arm_of
from finetrieve.evaluation.evaluate import evaluate_models
from finetrieve.evaluation.settings import EvaluationSettings
from finetrieve.retrieval.reranker import load_reranker
from finetrieve.training.losses import LOSSES
from finetrieve.training.settings import TrainingSettings
from tests.evaluation.test_evaluate import Words, _eval_set
from tests.installed_package import install_package

SOURCE = """
from dataclasses import dataclass

import numpy as np

from finetrieve.evaluation.arms import Arm
from finetrieve.retrieval.reranker import Reranker
from finetrieve.training.losses import Loss


class Doubled(Loss):
    name, description, encodes_chunks_once = "doubled", "twice the softmax", True

    def build(self, model, plan):
        return 2 * plan.scale


@dataclass(frozen=True)
class Squared(Arm):
    name: str = "squared_base"
    description: str = "squared cosines of the base model"
    parts: tuple = ("dense",)
    model: str = "base"

    def score(self, inputs):
        return np.square(inputs.part(self))


class Longest(Reranker):
    description = "the longest text first"

    def scores(self, pairs):
        return np.array([len(text) for _, text in pairs], dtype=np.float32)
"""


@pytest.fixture(params=["dotted", "entry point"])
def names(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, str]:
    """The names of the three by which a configuration finds them."""
    points = {
        "losses": "doubled = my_search:Doubled",
        "arms": "squared = my_search:Squared",
        "rerankers": "longest = my_search:Longest",
    }
    named = "".join(f"[finetrieve.{group}]\n{line}\n" for group, line in points.items())
    install_package(tmp_path, monkeypatch, named if request.param == "entry point" else "", my_search=SOURCE)
    if request.param == "dotted":
        return "my_search:Doubled", "my_search:Squared", "my_search:Longest"
    return "doubled", "squared", "longest"


def test_a_loss_an_arm_and_a_reranker_are_found_and_used(names: tuple[str, str, str]) -> None:
    loss, arm, reranker = names
    assert TrainingSettings(loss=loss).loss == loss
    found = LOSSES.get(loss)
    assert found.encodes_chunks_once and not found.uses_negatives and found.description == "twice the softmax"

    assert arm_of(arm).description == "squared cosines of the base model"
    settings = EvaluationSettings(arms=["base", arm, "cross_base"], reranker=reranker, bootstrap_samples=100, bill=False)
    made = load_reranker(reranker, settings.batch_size)
    assert made.scores([("q", "ab"), ("q", "abc")]).tolist() == [2, 3]
    result = evaluate_models([_eval_set()], {"base": Words(1)}, None, settings, 1, made)
    [measured] = result.metrics.eval_sets.values()
    assert list(measured.arms) == ["base", arm, "cross_base"]
    columns = {name: result.per_query.filter(np.array(result.per_query["arm"]) == name)["mrr@10"] for name in ("base", arm)}
    assert columns["base"].to_pylist() == columns[arm].to_pylist()  # no cosine is below zero here: their order stays


@pytest.mark.parametrize("find", [LOSSES.get, arm_of])
def test_an_unknown_name_is_answered_with_the_known_ones(find: object) -> None:
    with pytest.raises(InputError, match=r"Choose one of: .*(mnrl|bm25)"):
        find("mine")  # type: ignore[operator]
