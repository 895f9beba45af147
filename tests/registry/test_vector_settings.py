"""By which settings token vectors are handed out."""

from __future__ import annotations

from typing import Any

from finetrieve.evaluation.result import EvaluationResult
from finetrieve.registry.vector_settings import asked_settings, recommended_settings
from finetrieve.retrieval.multi_vector import LateSettings
from tests.evaluation.many_arms import many_arms

METRICS = EvaluationResult.model_validate(many_arms())


def test_the_recommended_point_is_taken_with_what_it_cost() -> None:
    settings, measured = recommended_settings(METRICS)
    assert settings == LateSettings(384, "binary", 1)
    assert measured is not None
    assert (measured["eval_set"], measured["way"], measured["bytes_per_chunk"]) == ("tv-manual", "late", 4_608)
    assert asked_settings(METRICS, None, None, None) == (settings, measured)


def test_what_is_asked_for_takes_the_place_and_the_rest_stays_as_recommended() -> None:
    settings, measured = asked_settings(METRICS, 128, None, None)
    assert settings == LateSettings(128, "binary", 1)
    assert measured is not None and measured["bytes_per_chunk"] == 1_536
    assert asked_settings(METRICS, 100, "int8", 2) == (LateSettings(100, "int8", 2), None)  # nobody measured 100 dimensions


def test_without_a_bill_nothing_is_recommended() -> None:
    assert recommended_settings(EvaluationResult()) == (None, None)
    assert asked_settings(EvaluationResult(), None, "int8", None) == (LateSettings(None, "int8", 1), None)
    metrics: dict[str, Any] = {
        "eval_sets": {"tv": {"bill": {"points": [{"way": "dense", "dims": 64, "precision": "int8", "recommended": True}]}}}
    }
    assert recommended_settings(EvaluationResult.model_validate(metrics)) == (None, None)
