"""Our own questions in lay words: what they say of a model that lost nothing, and of one that did."""

from __future__ import annotations

import numpy as np
import pytest

from finetrieve.evaluation.guard import compare_lay_scores, guard_questions
from finetrieve.training.lay_questions import choosing_questions, practised_pairs


def test_a_fall_of_one_way_of_searching_is_a_fall() -> None:
    base = np.tile([1.0, 0.5, 0.63, 1.0], 50)
    lower = base - np.tile([0.1, 0.0, 0.2, 0.0], 50)
    record = compare_lay_scores({"dense": base, "late": base}, {"dense": base, "late": lower}, seed=1).as_json()
    assert record["fell"] is True
    assert record["n_queries"] == 200
    late = record["ndcg@10"]["late"]
    assert late["base"] - late["finetuned"] == pytest.approx(0.075)
    assert late["low"] < -0.075 < late["high"] < 0
    assert record["ndcg@10"]["dense"] == {"base": base.mean(), "finetuned": base.mean(), "low": 0.0, "high": 0.0}


def test_a_difference_that_chance_explains_is_none() -> None:
    generator = np.random.default_rng(3)
    base = generator.random(100)
    noisy = np.clip(base + generator.normal(0, 0.2, 100) + 0.002, 0, 1)
    assert compare_lay_scores({"dense": base, "late": base}, {"dense": noisy, "late": noisy}, seed=1).fell is False


def test_every_question_of_the_guard_has_an_answer_and_none_is_practised_or_chooses() -> None:
    guard = guard_questions()
    assert len(guard.queries) > 300
    assert all(rows and max(rows) < len(guard.texts) for rows in guard.answers)
    practised, choosing = practised_pairs(), choosing_questions()
    assert len(practised) > 600 and len(choosing.queries) > 150
    asked = {query for query, _ in practised} | set(choosing.queries)
    read = {text for _, text in practised} | set(choosing.texts)
    assert len(asked) == len(practised) + len(choosing.queries)
    assert not asked & set(guard.queries)
    assert not read & set(guard.texts)
