"""Review priority: which queries need a person most, and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from finetrieve.core.rows import GeneratedQuery

NEAR_MISS = "near miss of the round trip"
NEGATIVE_FITS = "the negative fits better than the query"
LOW_SIMILARITY = "low similarity to the text"
RARE_STYLE = "rare style"
SPOT_CHECK = "spot check"

_WORST_RANK = 20
"""From this rank of its own chunk on, a query is as near a miss as can be."""
_COMMON_SHARE = 0.1
"""A style that so many of the queries have is not rare."""
_TELLING = 0.7
"""A signal, 0..1, names itself as the reason from here on."""
_WEIGHTS = {NEAR_MISS: 0.6, NEGATIVE_FITS: 0.6, LOW_SIMILARITY: 0.5, RARE_STYLE: 0.4}


def review_priorities(
    triplets: Sequence[GeneratedQuery], chunk_similarities: Sequence[float], negative_similarities: Sequence[float | None]
) -> list[tuple[float, str]]:
    """Returns, for each query, how much it needs a person (0..1) and the main reason.

    Each signal lies in 0..1 and takes its weight's share of what the others left: several weak ones add up, and none hides
    another. Signals are coarse, so that a corpus that grows a little does not change every record.

    Args:
        triplets: The queries.
        chunk_similarities: Cosine of each with its chunk.
        negative_similarities: Cosine of its negative query with the chunk; None without one.
    """
    shares = Counter(triplet.style for triplet in triplets)
    lowness = _lowness(chunk_similarities)
    found = []
    for triplet, similarity, negative, low in zip(triplets, chunk_similarities, negative_similarities, lowness, strict=True):
        signals = {
            NEAR_MISS: _nearness(triplet.round_trip_rank),
            NEGATIVE_FITS: float(negative is not None and negative >= similarity),
            LOW_SIMILARITY: low,
            RARE_STYLE: _rarity(shares[triplet.style] / len(triplets)),
        }
        found.append((_combined(signals), _reason(signals)))
    return found


def _nearness(rank: int | None) -> float:
    """Returns 0 for a query that found its chunk first, 1 for one that hardly did."""
    return 0.0 if rank is None else min(1.0, math.log(max(1, rank)) / math.log(_WORST_RANK))


def _lowness(similarities: Sequence[float]) -> list[float]:
    """Returns for each cosine its place among all of them: 1 for the lowest tenth, down to 0.1 for the highest.

    Models differ in what a low cosine is, so only the order counts.
    """
    if not similarities:
        return []
    values = np.asarray(similarities)
    places = np.searchsorted(np.sort(values), values, side="left") / len(values)  # 0 for the lowest
    return [float(value) for value in 1 - np.floor(10 * places) / 10]


def _rarity(share: float) -> float:
    return round(max(0.0, 1 - share / _COMMON_SHARE), 1)


def _combined(signals: dict[str, float]) -> float:
    return round(1 - math.prod(1 - _WEIGHTS[name] * value for name, value in signals.items()), 2)


def _reason(signals: dict[str, float]) -> str:
    name = max(signals, key=lambda name: _WEIGHTS[name] * signals[name])
    return name if signals[name] >= _TELLING else SPOT_CHECK
