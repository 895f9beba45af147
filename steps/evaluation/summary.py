"""What the terminal shows at the end of a run: the arms with their intervals, and the verdict."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from steps.evaluation.figures import arm_name, count, headline_of, ordered_sets, score
from steps.evaluation.markup import one_line

WIDTH = 100
NAME_WIDTH = 22
SETS_ABREAST = 3
"""Evaluation sets that stand beside each other."""


def summary_table(metrics: Mapping[str, Any]) -> str:
    """Returns nDCG@10 of every arm on every evaluation set, with 95% intervals, and the verdict, in at most 100 columns."""
    verdict = metrics.get("verdict") or {}
    sets = ordered_sets(metrics.get("eval_sets") or {}, verdict.get("eval_set"))
    tables = [_table(sets[start : start + SETS_ABREAST]) for start in range(0, len(sets), SETS_ABREAST)]
    sentence = textwrap.fill(one_line(verdict.get("sentence", ""), 1_000), WIDTH)
    return "\n\n".join(part for part in (*tables, sentence) if part)


def _table(sets: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    arms = list(dict.fromkeys(arm for _, found in sets for arm in found.get("arms", {})))
    rows = [
        ["nDCG@10, 95% interval", *(one_line(name, NAME_WIDTH) for name, _ in sets)],
        ["", *(_kind(found) for _, found in sets)],
        *([arm_name(arm), *(_cell(found.get("arms", {}).get(arm, {})) for _, found in sets)] for arm in arms),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines[:2], "-" * max(len(line) for line in lines), *lines[2:]])


def _kind(found: Mapping[str, Any]) -> str:
    return one_line(f"{found.get('kind', '')}, n = {count(found.get('n_queries'))}", NAME_WIDTH)


def _cell(table: Mapping[str, Any]) -> str:
    found = headline_of(table)
    if not found:
        return ""
    return f"{score(found['value'])}  [{score(found.get('low'))}, {score(found.get('high'))}]"
