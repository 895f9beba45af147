from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from finetrieve.evaluation.result import EvaluationResult
from finetrieve.registry.facts import facts_of
from finetrieve.registry.listing import details, listing, measured_words, side_by_side
from finetrieve.registry.versions import Version
from finetrieve.reporting.model_history import history_page

HOSTILE = "<script>alert(1)</script>"


def a_version(number: int, **record: Any) -> Version:
    return Version(uuid4(), "docs", number, datetime(2026, 1, number, tzinfo=UTC), "staging", record)


def decided(**facts: Any) -> dict[str, Any]:
    return {"decision": {"why": "No.", "against": "docs:1", "delta": 0.01, "low": -0.01, "high": 0.03, **facts}}


def test_the_page_shows_every_version_with_its_reason_and_escapes_what_others_wrote() -> None:
    page = history_page("docs", [a_version(2, eval_set=HOSTILE, eval_queries=9, **decided(why=HOSTILE)), a_version(1)])
    assert HOSTILE not in page and "&lt;script&gt;" in page
    assert "+1.0 points" in page
    assert "ended before the decision" in page


def test_a_version_whose_place_another_one_took_says_so_on_the_page_as_in_the_listing() -> None:
    waited, refused, demoted = decided(stage="staging"), decided(stage="archived"), decided(stage="production")
    taken_out = {"by_hand": "Demoted by hand.", "rolled_back": "2026-01-03"}
    found = [
        replace(a_version(4, by_hand="Promoted by hand.", rolled_back="", **refused), stage="archived"),
        replace(a_version(3, **taken_out, **demoted), stage="archived"),
        replace(a_version(2, **refused), stage="archived"),
        replace(a_version(1, **waited), stage="archived"),
    ]
    replaced = "Archived when another version took its place."
    assert [version.why.removeprefix("No. ") for version in found] == [
        f"Promoted by hand. {replaced}",
        "Demoted by hand.",
        "No.",
        replaced,
    ]
    assert history_page("docs", found).count(replaced) == " ".join(listing({"docs": found}).split()).count(replaced) == 2
    assert a_version(1, **waited).why == "No."  # it is in `staging` still


def test_dates_name_their_time_zone() -> None:
    version = a_version(1, **decided())
    assert "trained (UTC)" in listing({"docs": [version]})
    for text in (details(version), side_by_side(version, version), history_page("docs", [version])):
        assert "2026-01-01 00:00 UTC" in text


def test_the_listing_shows_a_version_whose_run_was_cut_off() -> None:
    text = listing({"docs": [a_version(1)]})
    assert "2026-01-01" in text and "the next run" in text


def test_a_version_says_what_was_measured_and_where_it_comes_from() -> None:
    base = {"base_model": "embedded", "base_name": "org/small", "base_revision": "commit 0123456789ab"}
    run = {
        "run": "retrain-docs-1",
        "command": "python run.py --pipeline retrain",
        "commit": "abc123",
        "zenml": "https://zen/runs/1",
    }
    measured = {"eval_set": "human", "eval_queries": 220, "ndcg_at_10": 0.5, "ndcg_at_10_low": 0.4, "ndcg_at_10_high": 0.6}
    version = a_version(2, **base, **run, **measured, **decided(why=f"Better {HOSTILE}."))
    assert "Trained from org/small (commit 0123456789ab), by run retrain-docs-1, commit abc123." in listing({"docs": [version]})
    lines = dict(line.split("  ", 1) for line in details(version).splitlines() if not line.startswith(" "))
    assert lines["Command"].strip() == run["command"] and lines["In ZenML"].strip() == run["zenml"]
    assert lines["Decision"].strip() == f"staging. Better {HOSTILE}." and lines["Base model"].strip().startswith("org/small (")
    assert "0.500 [0.400, 0.600]" in lines["nDCG@10"]
    assert measured_words(version) == (
        "docs:2 was trained on 2026-01-02 from org/small (commit 0123456789ab); "
        "nDCG@10 0.500 [0.400, 0.600] on 220 questions of 'human'."
    )
    assert details(a_version(1)).count("\n") == 2  # of an older one only its name, the decision and the date are known


def test_two_versions_are_shown_beside_each_other_with_what_differs_marked() -> None:
    first = a_version(1, eval_set="human", corpus="a", base_model="embedded", ndcg_at_10=0.5)
    second = a_version(2, eval_set="human", corpus="a", base_model="other", ndcg_at_10=0.6, **decided())
    text = side_by_side(first, second)
    [base_model] = [line for line in text.splitlines() if line.startswith("base model ")]
    assert base_model.endswith("*")
    assert "docs:2 - docs:1, same questions: nDCG@10 +1.0 points [-1.0, +3.0]" in text
    assert "do not compare" not in text
    assert "do not compare" in side_by_side(first, a_version(2, eval_set="other", corpus="b"))


def test_facts_are_flat_and_leave_out_what_is_not_known() -> None:
    metrics = {
        "verdict": {"eval_set": "human", "better": None},
        "eval_sets": {"human": {"n_queries": 7, "arms": {"finetuned": {"ndcg@10": {"value": 0.5, "low": 0.4, "high": 0.6}}}}},
        "corpus": {"fingerprint": "0123456789abcdef", "documents": 3, "chunks": 5},
        "generation": {"queries": 11, "generators": {"rules 3": 11}, "cost": 0.5},
        "training": {"base_model": "embedded"},
    }
    assert facts_of(EvaluationResult.model_validate(metrics)) == {
        "corpus": "0123456789ab",
        "documents": 3,
        "chunks": 5,
        "queries": 11,
        "generator": "rules 3 (11)",
        "cost": 0.5,
        "base_model": "embedded",
        "verdict": "no clear difference",
        "eval_set": "human",
        "eval_queries": 7,
        "ndcg_at_10": 0.5,
        "ndcg_at_10_low": 0.4,
        "ndcg_at_10_high": 0.6,
    }
    metrics["verdict"] = {"eval_set": "human", "better": True, "arm": "late_finetuned", "against": "late_base"}
    metrics["eval_sets"]["human"]["arms"] |= {
        "late_finetuned": {"ndcg@10": {"value": 0.7, "low": 0.7, "high": 0.7}},
        "late_base": {"ndcg@10": {"value": 0.6, "low": 0.6, "high": 0.6}},
    }
    facts = facts_of(EvaluationResult.model_validate(metrics))
    assert (facts["arm"], facts["ndcg_at_10"]) == ("late_finetuned", 0.7)
    assert (facts["untrained_arm"], facts["untrained_ndcg_at_10"]) == ("late_base", 0.6)
    assert facts_of(EvaluationResult()) == {}
