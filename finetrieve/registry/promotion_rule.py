"""The promotion rule: a model takes over where it is clearly better on the headline set and clearly worse nowhere.

"Clearly" is a 95% interval of paired differences, query by query, that leaves zero out. The verdict names the set and the arm. A
model that a way of searching without training clearly beats is archived; one that only generated questions, few questions or
questions about one document speak for, or that lost general understanding, waits for a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from finetrieve.core.record import Record
from finetrieve.core.training_record import Guard
from finetrieve.evaluation.bootstrap import FEW_QUERIES
from finetrieve.evaluation.comparison import CANDIDATE_ARMS
from finetrieve.evaluation.formats import arm_name, in_points, metric_name
from finetrieve.evaluation.metrics import HEADLINE
from finetrieve.evaluation.result import Comparison, EvaluationResult, SetResult, Verdict

Stage = Literal["production", "staging", "archived"]


class ProductionModel(Record):
    """The version in production; empty when there is none."""

    version: int | None = None
    label: str | None = None
    content_hash: str | None = None
    artifact: str | None = None
    """The id of its files."""


class ModelComparison(Record):
    """How a trained model differs from the one in production, on the same questions."""

    against: str | None = None
    """The version's label; None where nothing is in production."""
    is_production: bool = False
    """It is the very model that is in production."""
    rows: Sequence[Comparison] = ()


class PromotionDecision(Record):
    """What becomes of a trained model, and why."""

    version: str | None = None
    """The version's label."""
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

    @property
    def sentence(self) -> str:
        """The version, its stage and why, in a line."""
        return f"{self.version} -> {self.stage}. {self.why}"


def against_base(eval_sets: Mapping[str, SetResult]) -> list[Comparison]:
    """Returns the same rows for the base model as the other one, from the evaluation's own comparisons."""
    return [
        _of_set(name, found, row)
        for name, found in eval_sets.items()
        for row in found.comparisons
        if CANDIDATE_ARMS.get(row.arm) == row.against
    ]


def _of_set(name: str, found: SetResult, row: Comparison) -> Comparison:
    return row.model_copy(update={"eval_set": name, "n_queries": found.n_queries})


def decide_about(
    record: Mapping[str, Any],
    metrics: EvaluationResult,
    compared: ModelComparison,
    promote_anyway: bool,
    label: str = "VERSION",
) -> PromotionDecision:
    """Returns what becomes of a trained model: what the rule says, unless a person said something else.

    Args:
        record: What the registry knows of the version.
        metrics: The content of `metrics.json`.
        compared: The model beside the one in production.
        promote_anyway: A person asked for production whatever the rule says.
        label: What a person types to name the version.
    """
    if compared.is_production:
        return PromotionDecision(
            stage="production",
            why="The same model as the one in production.",
            by_the_rule=True,
            against=str(compared.against),
            eval_set=metrics.verdict.eval_set,
            arm=metrics.verdict.arm,
        )
    decision = _by_the_rule(metrics, compared)
    if promote_anyway and decision.stage != "production":
        why = f"Promoted anyway, as --promote-anyway asked. The rule said: {decision.why}"
        return decision.model_copy(update={"stage": "production", "why": why, "by_the_rule": False})
    if record.get("rolled_back") and not promote_anyway:
        when, back = record["rolled_back"], f"`python run.py models promote {label}` brings it back"
        why = f"A person took it out of production ({when}); {back}."
        return decision.model_copy(update={"stage": "archived", "why": why, "by_the_rule": False})
    return decision


def _by_the_rule(metrics: EvaluationResult, compared: ModelComparison) -> PromotionDecision:
    verdict, eval_sets = metrics.verdict, metrics.eval_sets
    headline, arm, found = verdict.eval_set, verdict.arm or "finetuned", metrics.headline_set or SetResult()
    untrained = _against_untrained(verdict, found)
    best = arm_name(str(verdict.against))
    if compared.against:
        decision = decide(compared.rows, headline, compared.against, arm)
    else:
        rows = against_base(eval_sets)
        if untrained:  # in the place of the arm's own base arm, which is no better
            rows = [row for row in rows if not _is_headline(row, headline, arm)] + [untrained]
        name = f"'{best}', the best without training" if untrained else "the base model"
        decision = decide(rows, headline, f"{name} (nothing was in production)", arm)
    if untrained and untrained.high < 0 and decision.stage != "archived":
        why = f"Worse than '{best}', which needs no training: {_headline_span(untrained)}."
        return decision.model_copy(update={"stage": "archived", "why": why})
    limits = _limits(found, metrics.training.guard)
    if decision.stage == "production" and limits:
        why = f"{decision.why} It waits for a person, since {'; '.join(limits)}."
        return decision.model_copy(update={"stage": "staging", "why": why})
    return decision


def _against_untrained(verdict: Verdict, found: SetResult) -> Comparison | None:
    """Returns the verdict's own comparison, or nothing where the verdict does not say what it compared."""
    row = found.comparison(verdict.arm or "", verdict.against or "")
    return _of_set(str(verdict.eval_set), found, row) if row else None


def _limits(found: SetResult, guard: Guard | None) -> list[str]:
    """Returns why a model that is better must not take over by itself."""
    limits = []
    if found.kind == "generated":
        limits.append("only generated questions say so, which share words with their answers")
    elif found.n_queries < FEW_QUERIES:
        limits.append(f"only {found.n_queries} questions say so, and {FEW_QUERIES} is the least to lean on")
    if found.n_documents_judged == 1:
        limits.append("one document answers all questions")
    if guard and guard.fell:
        limits.append(f"training cost it general understanding ({(guard.sentence or 'the guard fell').rstrip('.')})")
    return limits


def decide(rows: Sequence[Comparison], headline: str | None, against: str, arm: str = "finetuned") -> PromotionDecision:
    """Returns what the comparison says.

    Better on the headline set and nowhere worse: production. Worse on the headline set: archived. All else waits in staging for
    a person.

    Args:
        rows: What `compare_scores` or `against_base` returned.
        headline: Name of the evaluation set that the verdict is about.
        against: What the candidate was compared with, for people.
        arm: The arm that the verdict is about; `finetuned` where the other model has none of that name.
    """

    def decision(stage: Stage, why: str, **facts: Any) -> PromotionDecision:
        return PromotionDecision(stage=stage, why=why, by_the_rule=True, against=against, eval_set=headline, **facts)

    main = next((row for name in (arm, "finetuned") for row in rows if _is_headline(row, headline, name)), None)
    if main is None:
        return decision("staging", f"Nothing to compare with {against}: no question was put to both.")
    facts = {"delta": main.delta, "low": main.low, "high": main.high, "arm": main.arm}
    span = _headline_span(main)
    falls = [row for row in rows if row.high < 0 and row is not main]
    if main.high < 0:
        return decision("archived", f"Worse than {against}: {span}.", **facts)
    if main.low <= 0:
        return decision("staging", f"Not clearly better than {against}: {span}, and zero is inside.", **facts)
    if falls:
        fallen = "; ".join(_fall(row) for row in falls[:3]) + (f"; {len(falls) - 3} more" if len(falls) > 3 else "")
        return decision("staging", f"Better than {against} ({span}), but this fell: {fallen}.", **facts)
    return decision("production", f"Better than {against}: {span}, and nothing else fell.", **facts)


def _is_headline(row: Comparison, headline: str | None, arm: str) -> bool:
    return row.eval_set == headline and row.arm == arm and row.metric == HEADLINE


def _headline_span(row: Comparison) -> str:
    return f"nDCG@10 of '{arm_name(row.arm)}' on '{row.eval_set}' {in_points(row)}"


def _fall(row: Comparison) -> str:
    return f"{metric_name(row.metric)} of '{arm_name(row.arm)}' on '{row.eval_set}' {in_points(row)}"
