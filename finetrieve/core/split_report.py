"""What is recorded of the split: how much stands on each side, and what was left out or moved for it."""

from __future__ import annotations

from collections.abc import Mapping

from finetrieve.core.annotation_report import ReviewCounts
from finetrieve.core.record import Record, Text


class SplitReport(Record):
    """How the sides were made; each mapping counts `train`, `dev` and `test`."""

    unit: Text = ""
    """What was split: `document`, or with few of them `chunk`."""
    human_eval: bool = False
    """People's questions judge the model, so that test's share is trained on."""
    pairs: Mapping[Text, int] = {}
    generated_pairs: Mapping[Text, int] = {}
    """Like those that follow only where not all pairs are generated."""
    confirmed_pairs: Mapping[Text, int] = {}
    edited_pairs: Mapping[Text, int] = {}
    human_pairs: Mapping[Text, int] = {}
    own_pairs: Mapping[Text, int] = {}
    """Pairs that somebody had."""
    pseudo_pairs: Mapping[Text, int] = {}
    """Queries of one's own that a teacher labelled."""
    ranking_lists: int = 0
    """Queries with a list of chunks whose order is learnt."""
    held_out_pairs: Mapping[Text, int] = {}
    """Such pairs, kept to evaluate on."""
    queries: Mapping[Text, int] = {}
    chunks: Mapping[Text, int] = {}
    documents: Mapping[Text, int] = {}
    left_out_as_human_questions: int = 0
    moved_because_shared: int = 0
    left_out_by_weight: int = 0
    """Training pairs of which the weights leave fewer."""
    moved_for_own_queries: int = 0
    """Documents that are trained on, though held out otherwise, since people added queries about them."""
    review: ReviewCounts = ReviewCounts()
    human_dev_questions: int = 0

    @property
    def sentence(self) -> str:
        """What stands whole on one side."""
        if self.unit in ("", "document"):
            return "Whole documents stand on one side."
        flatters = "test" if self.pairs.get("test") else "dev"
        return f"With so few documents, chunks were split: a document may stand on several sides, so {flatters} flatters."
