from __future__ import annotations

from finetrieve.core.own_data_report import PairSetReport, PairsReport, QueriesReport, QuerySetReport
from finetrieve.core.training_record import TrainingRecord
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.registry.facts import facts_of, made_by


def test_a_version_names_the_run_that_made_it_and_not_the_one_that_took_it_from_the_cache() -> None:
    first = made_by({}, {"run": "retrain-1", "commit": "abc", "packages": "torch==2"})
    assert first == {"run": "retrain-1", "commit": "abc", "packages": "torch==2"}
    assert {**first, **made_by(first, {"run": "retrain-2", "commit": "def", "packages": "torch==3"})} == first


def test_a_version_says_what_of_ones_own_it_was_trained_on_and_for_how_long() -> None:
    metrics = EvaluationResult(
        training=TrainingRecord(n_pairs=160, steps=12),
        pairs=PairsReport(sets={"tickets": PairSetReport(queries=1_038)}),
        queries=QueriesReport(sets={"log": QuerySetReport(queries=13)}),
    )
    facts = facts_of(metrics)
    assert (facts["own_data"], facts["training_pairs"], facts["training_steps"]) == ("tickets (1,038), log (13)", 160, 12)
    assert not {"own_data", "training_pairs", "training_steps"} & set(facts_of(EvaluationResult()))
