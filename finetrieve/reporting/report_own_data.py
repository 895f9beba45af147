"""What the report says of pairs of one's own: how many there are, how they were matched to chunks, and what was not."""

from __future__ import annotations

from typing import Any

from finetrieve.core.html import one_line
from finetrieve.core.own_data_report import PairSetReport, PairsReport
from finetrieve.evaluation.formats import count

_WAYS = ("exact", "document", "text", "free text")


def own_pairs_view(pairs: PairsReport) -> dict[str, Any] | None:
    """Returns a row of counts per set, and some of what no chunk answers."""
    if not pairs.sets:
        return None
    return {
        "rows": [{"name": one_line(name, 80), "cells": _counts(found)} for name, found in pairs.sets.items()],
        "unmatched": [
            [one_line(row.query, 200), one_line(row.reason, 240)] for found in pairs.sets.values() for row in found.examples
        ],
    }


def _counts(found: PairSetReport) -> list[str]:
    ways = [found.matched.get(way, 0) for way in _WAYS]
    return [count(number) for number in (found.queries, found.pairs, *ways, found.negatives, found.unmatched)]
