"""What is recorded of the review: what was pushed, who looked at how much, with what outcome, and what was used of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finetrieve.core.record import Record, Text


class PushReport(Record):
    """What a push did, in records, and where people find them."""

    dataset: Text = ""
    url: Text = ""
    records: int = 0
    """All that were wanted."""
    added: int
    updated: int
    unchanged: int
    kept_because_touched: int
    withdrawn_chunk_gone: int
    withdrawn_query_gone: int
    gone_but_touched: int
    foreign: int

    @property
    def changes(self) -> int:
        """Records that were added, updated or withdrawn."""
        return self.added + self.updated + self.withdrawn_chunk_gone + self.withdrawn_query_gone


class AnnotatorSummary(Record):
    """One person, under a pseudonym."""

    name: Text = ""
    answers: int = 0
    """Records that they submitted or discarded."""
    outcomes: Mapping[Text, int] = {}
    """Status -> the records that came to it, and their own queries."""


class ReviewedQuery(Record):
    """A query that people edited or rejected."""

    place: Text = ""
    before: Text = ""
    after: Text = ""


class OwnQuery(Record):
    """A query that a person added."""

    query: Text


class Opinion(Record):
    """What one person made of a query that others saw differently."""

    annotator: Text = ""
    outcome: Text = ""
    query: Text = ""
    """As they edited it; empty where they did not."""


class Disagreement(Record):
    """A query of which not all people said the same."""

    query: Text = ""
    place: Text = ""
    answers: Sequence[Opinion] = ()


class Agreement(Record):
    """How far people who saw the same records agreed."""

    records: int = 0
    """Those with several responses."""
    pairwise: float | None = None
    """Share of the pairs of responses to a record that say the same, 0..1; None without any."""
    alpha: float | None = None
    """Krippendorff's for nominal data (Krippendorff 2004, chapter 11) over confirmed, edited, unfixed and rejected: 1 is full
    agreement, 0 what chance gives. None where it is undefined."""


class JudgeAgreement(Record):
    """How far the LLM that judged the queries and the people who reviewed them agree on which are good."""

    records: int = 0
    """Reviewed records that the LLM had scored."""
    at_least: float = 0.0
    """The score, 0..10, from which on a query counts as good to the judge; people's are those that they accepted as they were."""
    share: float | None = None
    """Of the records on which both say the same, 0..1."""
    kappa: float | None = None
    """Cohen's (1960): 1 is full agreement, 0 what chance gives. None where it is undefined: one of them says always the same."""


class AnnotationReport(Record):
    """What people reviewed, with what outcome; the lists end after some rows."""

    dataset: Text = ""
    records: int = 0
    """All that there are."""
    reviewed: int = 0
    outcomes: Mapping[Text, int] = {}
    """Status -> reviewed records."""
    human_queries: int = 0
    """People's own, each once per chunk."""
    annotators: Sequence[AnnotatorSummary] = ()
    """Those who answered most first."""
    agreement: Agreement = Agreement()
    judge: JudgeAgreement = JudgeAgreement()
    edits: Sequence[ReviewedQuery] = ()
    rejected: Sequence[ReviewedQuery] = ()
    own: Sequence[OwnQuery] = ()
    disagreements: Sequence[Disagreement] = ()
    disagreements_in_all: int = 0
    chunk_changed: int = 0
    """Records whose document was edited since they were pushed."""
    chunk_gone: int = 0
    """Records whose chunk is no longer in the corpus, in whatever form."""

    @property
    def summary(self) -> str:
        """What people did, in a line."""
        outcomes = ", ".join(f"{count:,} {name}" for name, count in self.outcomes.items())
        reviewed = f"{self.reviewed:,} of {self.records:,} records reviewed{f' ({outcomes})' if outcomes else ''}"
        return f"{reviewed}, {self.human_queries:,} queries of people's own"


class ReviewCounts(Record):
    """What became of the queries when the review was applied."""

    rows: Mapping[Text, int] = {}
    """Provenance -> queries that are used."""
    left_out: Mapping[Text, int] = {}
    """Reason -> queries that are not."""
