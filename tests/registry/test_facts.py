from __future__ import annotations

from finetrieve.registry.facts import made_by


def test_a_version_names_the_run_that_made_it_and_not_the_one_that_took_it_from_the_cache() -> None:
    first = made_by({}, {"run": "retrain-1", "commit": "abc", "packages": "torch==2"})
    assert first == {"run": "retrain-1", "commit": "abc", "packages": "torch==2"}
    assert {**first, **made_by(first, {"run": "retrain-2", "commit": "def", "packages": "torch==3"})} == first
