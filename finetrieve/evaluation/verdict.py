"""The verdict: which way of searching to use, and is it better than the best that needs no training?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from finetrieve.core.training_record import Guard
from finetrieve.evaluation.bootstrap import FEW_QUERIES
from finetrieve.evaluation.formats import TUNED_ARMS, UNTRAINED_ARMS, arm_name, cost_words, in_points, points_of
from finetrieve.evaluation.metrics import HEADLINE
from finetrieve.evaluation.result import SetResult, StoragePoint, Verdict

AUTO = "auto"
LEVEL = 0.005
"""nDCG@10 that a simpler way of searching may score less and still be preferred: half a point."""


def reach_verdict(eval_sets: Mapping[str, SetResult], headline_arm: str = AUTO, guard: Guard | None = None) -> Verdict:
    """Returns which tuned arm to use and how it compares with the best arm that needs no training.

    The largest human set decides; generated queries do only where there is no human set.

    Args:
        eval_sets: What was measured on each.
        headline_arm: A tuned arm, or `auto`: the best of dense, hybrid, late and fused, a simpler one where it is level.
        guard: What the training kept of general understanding.
    """
    found = {name: pair for name, scores in eval_sets.items() if (pair := _question(scores, headline_arm))}
    if not found:
        nothing = dict.fromkeys(Verdict.model_fields)
        return Verdict.model_validate(nothing | {"metric": HEADLINE, "sentence": _uncompared(eval_sets), "next": []})
    name = _deciding(eval_sets, found)
    scores, (arm, against) = eval_sets[name], found[name]
    row, base_row = scores.comparison(arm, against), scores.comparison(arm, "base")
    assert row is not None
    better = None if row.low <= 0 <= row.high else row.delta > 0
    way = arm if better else against
    way_row = scores.comparison(way, "base")
    reached = Verdict(
        eval_set=name,
        metric=HEADLINE,
        better=better,
        arm=arm,
        against=against,
        delta=row.delta,
        low=row.low,
        high=row.high,
        base_delta=base_row.delta if base_row else None,
        base_low=base_row.low if base_row else None,
        base_high=base_row.high if base_row else None,
        cost=_cost_of(scores, arm),
        way=way,
        way_delta=way_row.delta if way_row else None,
        way_low=way_row.low if way_row else None,
        way_high=way_row.high if way_row else None,
    )
    training, search = [_result(name, scores, reached), _advice(better, arm, against)], _search_advice(scores, way)
    told = [*training, search] if better else [search, *training, _single_vector_advice(scores, arm)]
    sentences = [*told, *_warnings(scores, arm), *_guard_warning(guard)]
    sentence = " ".join(part for part in sentences if part)
    return reached.model_copy(update={"sentence": sentence, "next": _next(scores, reached)})


def best_untrained(scores: SetResult) -> str | None:
    """Returns the best arm that needs no training, the simplest of equals."""
    values = {arm: value for arm in UNTRAINED_ARMS if (value := scores.headlines.get(arm)) is not None}
    return scores.best_untrained if scores.best_untrained in values else max(values, key=lambda arm: values[arm], default=None)


def best_tuned(scores: SetResult, headline_arm: str = AUTO) -> str | None:
    """Returns the tuned arm that is named, or the simplest that is within `LEVEL` of the best."""
    if headline_arm.endswith("finetuned") and scores.headline(headline_arm):
        return headline_arm
    values = {arm: value for arm in TUNED_ARMS if (value := scores.headlines.get(arm)) is not None}
    return next((arm for arm in values if values[arm] >= max(values.values()) - LEVEL), None)


def own_base(arm: str) -> str:
    """Returns the arm that searches in the same way with the base model."""
    return arm.replace("finetuned", "base")


def _question(scores: SetResult, headline_arm: str) -> tuple[str, str] | None:
    """Returns the tuned arm and the untrained one that it is held against; nothing where they were not compared.

    Older metrics compare with fewer arms: then the best of those that there are.
    """
    arm, untrained = best_tuned(scores, headline_arm), best_untrained(scores)
    if arm is None or untrained is None:
        return None
    values = scores.headlines
    ranked = [untrained, *sorted((other for other in UNTRAINED_ARMS if other in values), key=lambda other: -values[other])]
    pairs = [(tuned, other) for tuned in dict.fromkeys((arm, "finetuned")) for other in ranked]
    return next((pair for pair in pairs if scores.comparison(*pair)), None)


def _cost_of(scores: SetResult, arm: str) -> StoragePoint | None:
    """Returns how the arm's vectors are to be stored: as recommended where that is of their kind, else all in full."""
    ways = ("late", "rerank20") if arm.startswith(("late", "fused")) else ("dense",)
    points = [point for point in scores.points if point.way in ways]
    return next((point for point in (*(point for point in points if point.recommended), *points)), None)


def _deciding(eval_sets: Mapping[str, SetResult], names: Iterable[str]) -> str:
    """Returns the largest human set, else the largest one."""
    return max(names, key=lambda item: (eval_sets[item].kind == "human", eval_sets[item].n_queries))


# 1. Sentences.


def _uncompared(eval_sets: Mapping[str, SetResult]) -> str:
    """Returns what is said where no trained model was scored beside an untrained way: the best of these, where there is one."""
    untrained = {name: best for name, scores in eval_sets.items() if (best := best_untrained(scores))}
    if not untrained or any(best_tuned(scores) for scores in eval_sets.values()):
        return "There was nothing to compare: no evaluation set with both the base and the fine-tuned model."
    name = _deciding(eval_sets, untrained)
    scores, best = eval_sets[name], untrained[name]
    found = f"of the ways without training, '{arm_name(best)}' is the best on '{name}': nDCG@10 {scores.headlines[best]:.3f}"
    return f"No trained model was scored; {found}. {_search_advice(scores, best)}".strip()


def _search_advice(scores: SetResult, way: str) -> str:
    """Returns what the recommended way of searching gains over the base model's vectors and over BM25, where that is clear."""
    gain, lexical = scores.comparison(way, "base"), scores.comparison(way, "bm25")
    if gain is None or gain.low <= 0:
        return ""
    over_bm25 = f", and {in_points(lexical)} over BM25" if lexical else ""
    return f"Search by '{arm_name(way)}': it gains {in_points(gain)} over the base model's vectors alone{over_bm25}."


def _single_vector_advice(scores: SetResult, arm: str) -> str:
    """Returns what training gained for one vector per text, which is all that many search engines hold, where that is clear."""
    gain = scores.comparison("finetuned", "base")
    if arm == "finetuned" or gain is None or gain.low <= 0:
        return ""
    return f"Where you search by one vector per text, '{arm_name('finetuned')}' gains {in_points(gain)} over the base model's."


def _result(name: str, scores: SetResult, reached: Verdict) -> str:
    arm, against, better = str(reached.arm), str(reached.against), reached.better
    before, after = (f"{scores.headlines[key]:.3f}" for key in (against, arm))
    delta, low, high = (points_of(value or 0.0) for value in (reached.delta, reached.low, reached.high))
    span = f"{delta} points, 95% interval {low} to {high}"
    asked = f"{scores.n_queries:,} {'question' if scores.n_queries == 1 else 'questions'}"
    who = f"on {asked} of '{name}'" if scores.kind == "human" else f"on {asked} generated from the documents"
    if better is False and against != own_base(arm):
        without = f"nDCG@10 is {before} with it, {after} after training"
        return f"A way of searching that needs no training is better: {who} {without} ({span})."
    return {
        True: f"Fine-tuning made retrieval better: {who} nDCG@10 rose from {before} to {after} ({span}).",
        False: f"Fine-tuning made retrieval worse: {who} nDCG@10 fell from {before} to {after} ({span}).",
        None: f"No clear difference: {who} nDCG@10 went from {before} to {after} ({span}, which includes zero).",
    }[better]


def _advice(better: bool | None, arm: str, against: str) -> str:
    tuned, untrained = arm_name(arm), arm_name(against)
    return {
        True: f"Use '{tuned}'; the best without training is '{untrained}'.",
        False: f"Use '{untrained}', which needs no training; the best after training is '{tuned}'.",
        None: f"Compared are '{tuned}' and the best without training, '{untrained}'.",
    }[better]


def _warnings(scores: SetResult, arm: str) -> list[str]:
    warnings = []
    if scores.n_queries < FEW_QUERIES:
        warnings.append(f"So few questions say little: {FEW_QUERIES} is the least to lean on.")
    if scores.kind == "generated":
        warnings.append("Generated questions share words with their answers, so judge by questions that people asked.")
    lexical = scores.comparison(arm, "bm25")
    if lexical and lexical.delta < 0:
        value = f"{scores.headlines['bm25']:.3f}"
        warnings.append(f"BM25 is level ({value})." if lexical.high >= 0 else f"Plain BM25 still scores higher ({value}).")
    return warnings


def _guard_warning(guard: Guard | None) -> list[str]:
    if not guard or not guard.fell:
        return []
    return [f"Training cost the model general understanding. {guard.sentence}".strip()]


def _next(scores: SetResult, reached: Verdict) -> list[str]:
    """Returns what to do now, in one to four sentences."""
    tuned, untrained = arm_name(str(reached.arm)), arm_name(str(reached.against))
    if reached.better:
        cost = cost_words(reached.cost) if reached.cost else ""
        search = f"Search by '{tuned}'{f' ({cost})' if cost else ''}."
        return [*_ask_people(scores), search, *_as_reranker(scores, str(reached.arm)), _DEPLOY]
    if reached.better is False:
        return [
            f"Search by '{untrained}': it needs no training. {_how_to_use(str(reached.against))}",
            *_ask_people(scores),
            "Training may still pay with better queries: write them with an LLM (a recipe under generation.recipes).",
        ]
    return [
        f"Until a difference shows, '{untrained}' is as good and needs no training. {_how_to_use(str(reached.against))}",
        *(_ask_people(scores) or ["More questions would tell small differences apart."]),
        "Queries written by an LLM may teach more than those of the rules: add a recipe under generation.recipes.",
    ]


_DEPLOY = (
    "To deploy it: `python run.py models export VERSION --to DIR` writes the model; `python run.py models` names its VERSION."
)


def _how_to_use(untrained: str) -> str:
    """Returns how a way of searching without training comes into use."""
    if untrained == "bm25":
        return "Your search engine's own full-text search is BM25: keep it, no model has to be deployed."
    return "Give your search the base model as it is, and leave the trained one where it is."


def _as_reranker(scores: SetResult, arm: str) -> list[str]:
    value = scores.headlines.get("rerank20_finetuned")
    if value is None or not arm.startswith(("late", "fused")):
        return []
    return [f"As a reranker of the hybrid's first 20 it scores {value:.3f} and needs no index of token vectors."]


def _ask_people(scores: SetResult) -> Sequence[str]:
    if scores.kind == "human" and scores.n_queries >= FEW_QUERIES:
        return []
    advice = f"Before you rely on this, collect {FEW_QUERIES} questions that people asked and pass them with --eval-set."
    if scores.kind == "human":
        return [advice]
    return [
        f"{advice} Take them from search logs and tickets, or from people in Argilla (docs/annotation.md), not from the text."
    ]
