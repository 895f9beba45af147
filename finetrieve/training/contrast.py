"""What a ranking loss tells a query and its chunk from: in which directions, and how much hard negatives count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"]
PartitionMode = Literal["joint", "per_direction"]
HardnessMode = Literal["in_batch_negatives", "hard_negatives", "all_negatives"]


@dataclass(frozen=True)
class Contrast:
    """What a ranking loss tells a query and its chunk from, as sentence-transformers' MultipleNegativesRankingLoss names it."""

    directions: tuple[Direction, ...] = ("query_to_doc",)
    """All four are the improved contrastive loss of GTE (Li et al. 2023, https://arxiv.org/abs/2308.03281)."""
    partition_mode: PartitionMode = "joint"
    """One softmax over all directions, or the mean of one for each."""
    hardness_mode: HardnessMode | None = None
    """Whose scores are raised by how near they are, so that hard negatives count more; None raises none."""
    hardness_strength: float = 0.0
    """Times the cosine, which is added to the score (Lan et al. 2025, https://arxiv.org/abs/2503.04812, equation 5)."""


PLAIN = Contrast()
SYMMETRIC = Contrast(("query_to_doc", "doc_to_query"), "per_direction")
