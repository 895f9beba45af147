"""The step that puts every query on one side: train, dev or test."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
from zenml import step

from finetrieve.annotation.review import Use, review
from finetrieve.core.progress import say
from finetrieve.core.rows import Annotation, Chunk, DocumentEntry, Pair, Triplet
from finetrieve.core.tables import to_rows, to_table
from finetrieve.evaluation.eval_sets import read_dev_judgements, read_questions
from finetrieve.evaluation.settings import EvalSetSettings
from finetrieve.training.settings import SplitSettings
from finetrieve.training.split import split_pairs
from steps.caching import cache_policy
from steps.materializers import JsonMaterializer, TableMaterializer


@step(
    cache_policy=cache_policy(__file__),
    output_materializers={"pairs": TableMaterializer, "split_report": JsonMaterializer},
)
def split_queries(
    queries: pa.Table,
    chunks: pa.Table,
    documents: pa.Table,
    settings: dict[str, Any],
    eval_sets: list[dict[str, Any]],
    eval_set_fingerprints: list[str],  # noqa: ARG001 (part of the cache key)
    annotations: pa.Table | None = None,
    use: Use = "all",
    train_on_human_queries: bool = True,
) -> tuple[Annotated[pa.Table, "pairs"], Annotated[dict[str, Any], "split_report"]]:
    """Returns the query-chunk pairs with their side, none of which asks what a human evaluation set asks.

    Where people reviewed the queries, their answers are applied first.
    """
    human = [EvalSetSettings.model_validate(eval_set) for eval_set in eval_sets]
    rows = to_rows(chunks, Chunk)
    entries = to_rows(documents, DocumentEntry)
    triplets, provenance, reviewed = to_rows(queries, Triplet), dict[str, str](), dict[str, Any]()
    if annotations is not None:
        chunk_ids = {chunk.id for chunk in rows}
        found = review(triplets, to_rows(annotations, Annotation), chunk_ids, use, train_on_human_queries)
        triplets, provenance, reviewed = found.triplets, found.provenance, {"review": found.counts}
    result = split_pairs(
        triplets,
        rows,
        SplitSettings.model_validate(settings),
        groups={entry.doc_id: entry.group for entry in entries},
        human_eval=bool(human),
        held_out_queries={text for eval_set in human for text in read_questions(eval_set).values()},
        provenance=provenance,
    )
    dev = human_dev_pairs(human, rows)
    say(", ".join(f"{count:,} {side}" for side, count in result.report["pairs"].items()) + " pairs")
    report = {**result.report, **reviewed, "human_dev_questions": len({pair.query for pair in dev})}
    return to_table([*result.pairs, *dev], Pair), report


def human_dev_pairs(eval_sets: list[EvalSetSettings], chunks: list[Chunk]) -> list[Pair]:
    """Returns the sets' own dev questions with every chunk of the documents that answer them.

    They choose the checkpoint and the averaging better than generated queries can. A set that asks about other documents than
    the pipeline's has none.
    """
    of_document: dict[str, list[str]] = {}
    for chunk in chunks:
        of_document.setdefault(chunk.doc_id, []).append(chunk.id)
    pairs = []
    for settings in eval_sets:
        questions = read_questions(settings)
        for query_id, judged in read_dev_judgements(settings).items():
            answers = [chunk_id for doc_id, score in judged.items() if score > 0 for chunk_id in of_document.get(doc_id, [])]
            pairs += [Pair(questions[query_id], chunk_id, "dev", "human", "human") for chunk_id in answers]
    return pairs
