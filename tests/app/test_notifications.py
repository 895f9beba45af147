from __future__ import annotations

import pytest

from finetrieve.app.notifications import WEBHOOK, _post, success_message
from finetrieve.core.secrets import mask_secrets
from finetrieve.evaluation.result import EvaluationResult, Verdict
from finetrieve.registry.promotion_rule import PromotionDecision

METRICS = EvaluationResult(verdict=Verdict(sentence="Fine-tuning made retrieval better."))
DECISION = PromotionDecision(version="manual:3", stage="production", why="Clearly better.", by_the_rule=True, against="manual:2")


def test_a_run_in_which_all_came_from_the_cache_says_that_nothing_changed() -> None:
    assert success_message("run-1", [], METRICS, DECISION) == (
        "Finetrieve, run 'run-1': neither documents nor annotations changed, so nothing was generated, trained or evaluated."
    )


def test_a_run_that_worked_says_what_ran_the_verdict_and_what_became_of_the_model() -> None:
    assert success_message("run-1", ["load_chunks", "train_model"], METRICS, DECISION) == (
        "Finetrieve, run 'run-1': ran load_chunks, train_model. Fine-tuning made retrieval better. "
        "manual:3 -> production. Clearly better."
    )


def test_values_of_variables_named_like_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-1234")
    monkeypatch.setenv(WEBHOOK, "https://hooks.example.com/T0/sk-planted-1234/xyz")
    monkeypatch.setenv("EMPTY_TOKEN", "")
    text = mask_secrets("401 for sk-planted-1234 at https://hooks.example.com/T0/sk-planted-1234/xyz")
    assert text == "401 for *** at ***"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9/T0/planted", "the webhook at 127.0.0.1 cannot be reached"),
        ("file:///etc/passwd", f"{WEBHOOK} is no http or https URL"),
        ("planted", f"{WEBHOOK} is no http or https URL"),
        ("http://[planted", f"{WEBHOOK} is no http or https URL"),
        ("http://127.0.0.1:planted/", "cannot be reached"),
    ],
)
def test_a_webhook_that_does_not_answer_neither_fails_the_run_nor_shows_its_address(
    url: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _post(url, "hello")
    said = capsys.readouterr().out
    assert expected in said and "planted" not in said
