"""The promotion rule: a model takes over where it is clearly better on the headline set and clearly worse nowhere.

"Clearly" is a 95% interval of paired differences, query by query, that leaves zero out. The verdict names the set and the arm. A
model that a way of searching without training clearly beats is archived; one that only generated questions, few questions or
questions about one document speak for, or that lost general understanding, waits for a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from finetrieve.evaluation.bootstrap import FEW_QUERIES
from finetrieve.evaluation.comparison import CANDIDATE_ARMS
from finetrieve.evaluation.formats import arm_name, metric_name
from finetrieve.evaluation.metrics import HEADLINE
from finetrieve.evaluation.verdict import comparison

Stage = Literal["production", "staging", "archived"]


@dataclass(frozen=True)
class Decision:
    """What becomes of a trained model, and why."""

    stage: Stage
    why: str
    """One sentence for people."""
    by_the_rule: bool
    """False where a person overrode it."""
    against: str
    """What it was compared with: a version, or the base model."""
    eval_set: str | None = None
    """The headline set."""
    delta: float | None = None
    """Of nDCG@10 on the headline set, 0..1."""
    low: float | None = None
    high: float | None = None
    arm: str | None = None
    """The tuned arm that was compared."""


def against_base(eval_sets: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the same rows for the base model as the other one, from the evaluation's own comparisons."""
    return [
        {"eval_set": name, "n_queries": found["n_queries"], **row}
        for name, found in eval_sets.items()
        for row in found["comparisons"]
        if CANDIDATE_ARMS.get(row["arm"]) == row["against"]
    ]


def decide_about(
    record: Mapping[str, Any], metrics: Mapping[str, Any], comparison: Mapping[str, Any], promote_anyway: bool
) -> Decision:
    """Returns what becomes of a trained model: what the rule says, unless a person said something else.

    Args:
        record: What the registry knows of the version.
        metrics: The content of `metrics.json`.
        comparison: `against`, `is_production` and `rows`, as the step `compare_with_production` returns them.
        promote_anyway: A person asked for production whatever the rule says.
    """
    verdict = metrics.get("verdict") or {}
    if comparison["is_production"]:
        against = str(comparison["against"])
        why = "The same model as the one in production."
        return Decision("production", why, True, against, verdict.get("eval_set"), arm=verdict.get("arm"))
    decision = _by_the_rule(metrics, comparison)
    if promote_anyway and decision.stage != "production":
        why = f"Promoted anyway, as --promote-anyway asked. The rule said: {decision.why}"
        return replace(decision, stage="production", why=why, by_the_rule=False)
    if record.get("rolled_back") and not promote_anyway:
        why = f"A person took it out of production ({record['rolled_back']}); `python run.py models promote` brings it back."
        return replace(decision, stage="archived", why=why, by_the_rule=False)
    return decision


def _by_the_rule(metrics: Mapping[str, Any], compared: Mapping[str, Any]) -> Decision:
    verdict, eval_sets = metrics.get("verdict") or {}, metrics.get("eval_sets") or {}
    headline, arm = verdict.get("eval_set"), verdict.get("arm") or "finetuned"
    untrained = _against_untrained(verdict, eval_sets)
    if compared["against"]:
        decision = decide(compared["rows"], headline, compared["against"], arm)
    else:
        rows = against_base(eval_sets)
        if untrained:  # in the place of the arm's own base arm, which is no better
            rows = [row for row in rows if not _is_headline(row, headline, arm)] + [untrained]
        name = f"'{arm_name(verdict['against'])}', the best without training" if untrained else "the base model"
        decision = decide(rows, headline, f"{name} (nothing was in production)", arm)
    if untrained and untrained["high"] < 0 and decision.stage != "archived":
        why = f"Worse than '{arm_name(verdict['against'])}', which needs no training: {_headline_span(untrained)}."
        return replace(decision, stage="archived", why=why)
    limits = _limits(eval_sets.get(str(headline)) or {}, (metrics.get("training") or {}).get("guard"))
    if decision.stage == "production" and limits:
        why = f"{decision.why} It waits for a person, since {'; '.join(limits)}."
        return replace(decision, stage="staging", why=why)
    return decision


def _against_untrained(verdict: Mapping[str, Any], eval_sets: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the verdict's own comparison as a row, or nothing where the verdict does not say what it compared."""
    arm, against = verdict.get("arm"), verdict.get("against")
    found = eval_sets.get(str(verdict.get("eval_set"))) or {}
    row = comparison(found, arm, against) if arm and against else {}
    return {"eval_set": verdict["eval_set"], "n_queries": found["n_queries"], **row} if row else {}


def _limits(found: Mapping[str, Any], guard: Mapping[str, Any] | None) -> list[str]:
    """Returns why a model that is better must not take over by itself."""
    limits = []
    n_queries = found.get("n_queries")
    if found.get("kind") == "generated":
        limits.append("only generated questions say so, which share words with their answers")
    elif isinstance(n_queries, int) and n_queries < FEW_QUERIES:
        limits.append(f"only {n_queries} questions say so, and {FEW_QUERIES} is the least to lean on")
    if found.get("n_documents_judged") == 1:
        limits.append("one document answers all questions")
    if guard and guard.get("fell"):
        limits.append(f"training cost it general understanding ({str(guard.get('sentence') or 'the guard fell').rstrip('.')})")
    return limits


def decide(rows: Sequence[Mapping[str, Any]], headline: str | None, against: str, arm: str = "finetuned") -> Decision:
    """Returns what the comparison says.

    Better on the headline set and nowhere worse: production. Worse on the headline set: archived. All else waits in staging for
    a person.

    Args:
        rows: What `compare_scores` or `against_base` returned.
        headline: Name of the evaluation set that the verdict is about.
        against: What the candidate was compared with, for people.
        arm: The arm that the verdict is about; `finetuned` where the other model has none of that name.
    """
    main = next((row for name in (arm, "finetuned") for row in rows if _is_headline(row, headline, name)), None)
    if main is None:
        return Decision("staging", f"Nothing to compare with {against}: no question was put to both.", True, against, headline)
    facts = (against, headline, main["delta"], main["low"], main["high"], main["arm"])
    span = _headline_span(main)
    falls = [row for row in rows if row["high"] < 0 and row is not main]
    if main["high"] < 0:
        return Decision("archived", f"Worse than {against}: {span}.", True, *facts)
    if main["low"] <= 0:
        return Decision("staging", f"Not clearly better than {against}: {span}, and zero is inside.", True, *facts)
    if falls:
        fallen = "; ".join(_fall(row) for row in falls[:3]) + (f"; {len(falls) - 3} more" if len(falls) > 3 else "")
        return Decision("staging", f"Better than {against} ({span}), but this fell: {fallen}.", True, *facts)
    return Decision("production", f"Better than {against}: {span}, and nothing else fell.", True, *facts)


def _is_headline(row: Mapping[str, Any], headline: str | None, arm: str) -> bool:
    return bool(row["eval_set"] == headline and row["arm"] == arm and row["metric"] == HEADLINE)


def _headline_span(row: Mapping[str, Any]) -> str:
    return f"nDCG@10 of '{arm_name(row['arm'])}' on '{row['eval_set']}' {in_points(row)}"


def _fall(row: Mapping[str, Any]) -> str:
    return f"{metric_name(row['metric'])} of '{arm_name(row['arm'])}' on '{row['eval_set']}' {in_points(row)}"


def in_points(row: Mapping[str, Any]) -> str:
    """Returns a difference with its interval in points, hundredths of the metric."""
    delta, low, high = (f"{100 * row[key]:+.1f}" for key in ("delta", "low", "high"))
    return f"{delta} points [{low}, {high}]"
