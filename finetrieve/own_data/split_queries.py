"""All queries of a run, split into train, dev and test: generated ones as people left them, pairs of one's own, pseudo-labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa
from pydantic import Field

from finetrieve.annotation.review import Use, review
from finetrieve.core.annotation_report import ReviewCounts
from finetrieve.core.corpus import Corpus
from finetrieve.core.rows import Annotation, GeneratedQuery, LabelledPair, Pair, RankedChunk
from finetrieve.core.settings import Settings
from finetrieve.core.split_report import SplitReport
from finetrieve.core.tables import to_rows
from finetrieve.evaluation.dev_questions import human_dev_pairs
from finetrieve.evaluation.eval_sets import read_questions
from finetrieve.evaluation.settings import EvalSetSettings
from finetrieve.own_data.mixing import split_with_own
from finetrieve.own_data.settings import PairSettings, QuerySettings
from finetrieve.training.settings import SplitSettings
from finetrieve.training.split import check_testable


class SplitTask(Settings):
    """What the split depends on beside the queries and the corpus."""

    split: SplitSettings
    eval_sets: list[EvalSetSettings] = Field(default=[])
    """Human sets: none of their questions is trained on, and their dev questions choose."""
    pairs: list[PairSettings] = Field(default=[])
    query_logs: list[QuerySettings] = Field(default=[])
    use: Use = "all"
    """Which queries are used where people reviewed them."""
    train_on_human_queries: bool = True
    """Whether queries that annotators added are trained on."""


class SplitQueries(NamedTuple):
    """What the split gave."""

    pairs: list[Pair]
    lists: list[RankedChunk]
    """Chunks in the order that is learnt."""
    report: SplitReport


def split_all_queries(
    queries: pa.Table,
    corpus: Corpus,
    task: SplitTask,
    annotations: pa.Table | None = None,
    own: Iterable[LabelledPair] = (),
    pseudo: pa.Table | None = None,
) -> SplitQueries:
    """Returns the query-chunk pairs with their side, none of which asks what a human evaluation set asks.

    Args:
        queries: Generated queries that passed the filters (`GeneratedQuery`).
        corpus: What they ask about.
        task: The shares, and the sets that stand beside the generated queries.
        annotations: What people made of them (`Annotation`), which is applied first; None where nobody reviewed.
        own: Pairs of one's own, and what was clicked.
        pseudo: Lists of queries that a teacher labelled (`RankedChunk`).

    Raises:
        InputError: There is nothing to evaluate the model on.
    """
    triplets, provenance, reviewed = to_rows(queries, GeneratedQuery), dict[str, str](), dict[str, ReviewCounts]()
    if annotations is not None:
        people = to_rows(annotations, Annotation)
        found = review(triplets, people, corpus.row_of_chunk, task.use, task.train_on_human_queries)
        triplets, provenance, reviewed = found.triplets, found.provenance, {"review": found.counts}
    result, lists = split_with_own(
        triplets,
        list(own),
        task.pairs,
        corpus.chunk_places(),
        task.split,
        groups=corpus.group_of_document,
        human_eval=bool(task.eval_sets),
        held_out_queries={text for eval_set in task.eval_sets for text in read_questions(eval_set).values()},
        provenance=provenance,
        pseudo=to_rows(pseudo, RankedChunk) if pseudo is not None else [],
        sure={item.label: item.sure for item in task.query_logs},
    )
    check_testable(result.report)
    dev = human_dev_pairs(task.eval_sets, corpus.chunk_places())
    report = result.report.model_copy(update={**reviewed, "human_dev_questions": len({pair.query for pair in dev})})
    return SplitQueries([*result.pairs, *dev], lists, report)
