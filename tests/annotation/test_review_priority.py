from __future__ import annotations

from finetrieve.annotation.review_priority import (
    LOW_SIMILARITY,
    NEAR_MISS,
    NEGATIVE_FITS,
    RARE_STYLE,
    SPOT_CHECK,
    review_priorities,
)
from tests.annotation.rows import triplet


def test_what_needs_a_person_most_scores_highest_and_says_why() -> None:
    """Twenty queries: all found first and of one style, but for the ones named below."""
    triplets = [triplet(f"t{row}", round_trip_rank=1) for row in range(20)]
    similarities: list[float] = [0.5 + row / 100 for row in range(20)]
    negatives: list[float | None] = [None] * 20
    triplets[10] = triplet("near miss", round_trip_rank=20)
    triplets[11] = triplet("rare", round_trip_rank=1, style="yes_no")
    negatives[12] = 0.9
    similarities[13] = 0.01

    found = review_priorities(triplets, similarities, negatives)

    reasons = [reason for _, reason in found]
    assert (reasons[10], reasons[12], reasons[13]) == (NEAR_MISS, NEGATIVE_FITS, LOW_SIMILARITY)
    assert reasons[19] == SPOT_CHECK
    scores = [score for score, _ in found]
    assert min(scores[row] for row in (10, 12)) > scores[19]
    assert scores[13] == max(score for row, score in enumerate(scores) if row not in (10, 12))
    assert all(0 <= score <= 1 for score in scores)


def test_a_rare_style_is_named() -> None:
    triplets = [triplet(f"t{row}", style="rare" if row == 99 else "how_to") for row in range(100)]
    assert review_priorities(triplets, [row / 100 for row in range(100)], [None] * 100)[99] == (
        0.39,
        RARE_STYLE,
    )  # 0.4*0.9 + 0.5*0.1 - ...


def test_queries_without_a_round_trip_and_equal_queries_are_no_trouble() -> None:
    assert review_priorities([], [], []) == []
    assert len(set(review_priorities([triplet("a"), triplet("b")], [0.5, 0.5], [None, None]))) == 1
