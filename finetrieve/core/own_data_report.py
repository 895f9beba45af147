"""What is recorded of pairs of one's own: what was read, how it was matched to chunks, and what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finetrieve.core.record import Record, Text


class UnmatchedPair(Record):
    """What no chunk says, for people."""

    query: Text
    reason: Text


class PairSetReport(Record):
    """One set of pairs."""

    queries: int = 0
    pairs: int = 0
    """Queries with what answers them, as they were read."""
    negatives: int = 0
    matched: Mapping[Text, int] = {}
    """How the answers were found: `exact`, `document`, `text`, `free text`."""
    unmatched: int = 0
    """Answers that no chunk says."""
    examples: Sequence[UnmatchedPair] = ()


class PairsReport(Record):
    """All sets."""

    sets: Mapping[Text, PairSetReport] = {}
