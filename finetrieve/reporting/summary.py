"""What the terminal shows at the end of a run: the arms with their intervals, and the verdict."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from finetrieve.core.base_model_report import BaseModelComparison
from finetrieve.core.html import one_line
from finetrieve.core.numbers import count
from finetrieve.core.text_table import table_lines
from finetrieve.evaluation.formats import arm_name, duration, fusion_words, is_tuned, ordered_arms, score
from finetrieve.evaluation.result import EvaluationResult, FusionRecord, SetResult, Verdict
from finetrieve.evaluation.verdict import best_tuned, best_untrained

WIDTH = 100
NAME_WIDTH = 23
SETS_ABREAST = 3
"""Evaluation sets that stand beside each other."""
BEST = "*"


def summary_table(metrics: EvaluationResult) -> str:
    """Returns nDCG@10 of every arm on every evaluation set, with 95% intervals, and the verdict, in at most 100 columns.

    The arms without training come first, then those of the trained model; a star marks the best of each on the verdict's terms.
    """
    verdict, sets = metrics.verdict, metrics.ordered_sets()
    tables = [_table(sets[start : start + SETS_ABREAST], verdict) for start in range(0, len(sets), SETS_ABREAST)]
    fused = _fusion(sets[0][1].fusion, str(verdict.arm)) if sets else ""
    notes = [one_line(f"Weights of {fused}", WIDTH)] if fused else []
    sentence = _filled(verdict.sentence)
    steps = "\n".join(_filled(f"- {step}", "  ") for step in verdict.next)
    advice = f"What next:\n{steps}" if steps else ""
    return "\n\n".join(part for part in (*tables, *notes, _base_models(metrics.base_models), sentence, advice) if part)


def _base_models(found: BaseModelComparison) -> str:
    """Returns a line per base model, the best first, where there are several."""
    if not found.trials:
        return ""
    rows = [
        [
            one_line(trial.base_model, NAME_WIDTH * 2),
            one_line(trial.error, WIDTH // 2) if trial.error else f"{score(trial.arms[trial.arm].value)} {arm_name(trial.arm)}",
            "" if trial.error else duration(trial.seconds),
            "the best" if trial.winner else "",
        ]
        for trial in found.trials
    ]
    return "\n".join([f"Base models, by their best trained arm on {one_line(found.eval_set, NAME_WIDTH)}:", *table_lines(rows)])


def _fusion(fusion: Mapping[str, FusionRecord], arm: str) -> str:
    """Returns how the verdict's arm adds up its parts, or the arm with the most parts."""
    preferred = (arm, "fused_finetuned", "hybrid_finetuned", "fused_base", "hybrid_base")
    shown = next((name for name in preferred if name in fusion), None)
    return fusion_words({shown: fusion[shown]}) if shown else ""


def _filled(text: object, margin: str = "") -> str:
    return textwrap.fill(one_line(text, 1_500), WIDTH, subsequent_indent=margin)


def _table(sets: Sequence[tuple[str, SetResult]], verdict: Verdict) -> str:
    arms = ordered_arms(dict.fromkeys(arm for _, found in sets for arm in found.arms))
    best = {name: _best(found, verdict if name == verdict.eval_set else Verdict()) for name, found in sets}
    rows = [
        ["nDCG@10, 95% interval", *(one_line(name, NAME_WIDTH) for name, _ in sets)],
        ["", *(_kind(found) for _, found in sets)],
    ]
    blocks = [[arm for arm in arms if not is_tuned(arm)], [arm for arm in arms if is_tuned(arm)]]
    body = [
        [[arm_name(arm), *(_cell(found, arm, arm in best[name]) for name, found in sets)] for arm in block]
        for block in blocks
        if block
    ]
    whole = table_lines([*rows, *(row for block in body for row in block)])
    rule = "-" * max(map(len, whole))
    lines, whole = whole[: len(rows)], whole[len(rows) :]
    for block in body:
        lines += [rule, *whole[: len(block)]]
        whole = whole[len(block) :]
    if any(BEST in line for line in lines):
        lines.append(f"{BEST} the best without training, and the best of the trained model (the simpler one of equals)")
    return "\n".join(lines)


def _best(found: SetResult, verdict: Verdict) -> set[str | None]:
    """Returns the arms that carry a star: none where only one side was measured."""
    pair = {verdict.arm or best_tuned(found), best_untrained(found)}
    return set() if None in pair else pair


def _kind(found: SetResult) -> str:
    return one_line(f"{found.kind}, n = {count(found.n_queries)}", NAME_WIDTH)


def _cell(found: SetResult, arm: str, is_best: bool) -> str:
    headline = found.headline(arm)
    if not headline:
        return ""
    shown = f"{score(headline.value)}  [{score(headline.low)}, {score(headline.high)}]"
    return f"{shown} {BEST}" if is_best else shown
