"""Steps that split the queries into train, dev and test, and that train a model or bring one from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from zenml import step

from finetrieve.annotation.review import Use, review
from finetrieve.core.annotation_report import ReviewCounts
from finetrieve.core.logging import get_logger
from finetrieve.core.model_directory import ModelDirectory
from finetrieve.core.paths import scratch_folder
from finetrieve.core.progress import reporter
from finetrieve.core.rows import Annotation, Chunk, DocumentEntry, GeneratedQuery, LabelledPair, Pair, RankedChunk
from finetrieve.core.split_report import SplitReport
from finetrieve.core.tables import to_rows, to_table
from finetrieve.core.training_record import TrainingRecord
from finetrieve.evaluation.dev_questions import human_dev_pairs
from finetrieve.evaluation.eval_sets import read_questions
from finetrieve.evaluation.settings import EvalSetSettings
from finetrieve.own_data.mixing import split_with_own
from finetrieve.own_data.settings import PairSettings, QuerySettings
from finetrieve.retrieval.base_model import fetch_model
from finetrieve.training.checkpoints import checkpoint_root
from finetrieve.training.settings import SplitSettings, TrainingSettings
from finetrieve.training.split import check_testable
from steps.caching import cache_policy
from steps.materializers import JsonMaterializer, ModelMaterializer, TableMaterializer

logger = get_logger(__name__)


@step(
    cache_policy=cache_policy(__file__, "split_queries"),
    output_materializers={"pairs": TableMaterializer, "ranking_lists": TableMaterializer, "split_report": JsonMaterializer},
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
    labelled_pairs: pa.Table | None = None,
    pair_sets: list[dict[str, Any]] | None = None,
    clicked_pairs: pa.Table | None = None,
    pseudo_labels: pa.Table | None = None,
    query_sets: list[dict[str, Any]] | None = None,
) -> tuple[Annotated[pa.Table, "pairs"], Annotated[pa.Table, "ranking_lists"], Annotated[SplitReport, "split_report"]]:
    """Returns the query-chunk pairs with their side, none of which asks what a human evaluation set asks, and lists of chunks
    whose order is learnt.

    Where people reviewed the queries, their answers are applied first; pairs of one's own stand beside them.
    """
    human = [EvalSetSettings.model_validate(eval_set) for eval_set in eval_sets]
    rows = to_rows(chunks, Chunk)
    entries = to_rows(documents, DocumentEntry)
    triplets, provenance, reviewed = to_rows(queries, GeneratedQuery), dict[str, str](), dict[str, ReviewCounts]()
    if annotations is not None:
        chunk_ids = {chunk.id for chunk in rows}
        found = review(triplets, to_rows(annotations, Annotation), chunk_ids, use, train_on_human_queries)
        triplets, provenance, reviewed = found.triplets, found.provenance, {"review": found.counts}
    result, lists = split_with_own(
        triplets,
        [pair for table in (labelled_pairs, clicked_pairs) if table is not None for pair in to_rows(table, LabelledPair)],
        [PairSettings.model_validate(item) for item in pair_sets or []],
        rows,
        SplitSettings.model_validate(settings),
        groups={entry.doc_id: entry.group for entry in entries},
        human_eval=bool(human),
        held_out_queries={text for eval_set in human for text in read_questions(eval_set).values()},
        provenance=provenance,
        pseudo=to_rows(pseudo_labels, RankedChunk) if pseudo_labels is not None else [],
        sure={item.label: item.sure for item in map(QuerySettings.model_validate, query_sets or [])},
    )
    check_testable(result.report)
    dev = human_dev_pairs(human, rows)
    logger.info(", ".join(f"{count:,} {side}" for side, count in result.report.pairs.items()) + " pairs")
    report = result.report.model_copy(update={**reviewed, "human_dev_questions": len({pair.query for pair in dev})})
    return to_table([*result.pairs, *dev], Pair), to_table(lists, RankedChunk), report


@step(
    cache_policy=cache_policy(__file__, "train_model"),
    output_materializers={"model": ModelMaterializer, "training_record": JsonMaterializer},
)
def train_model(
    pairs: pa.Table,
    chunks: pa.Table,
    settings: dict[str, Any],
    seed: int,
    base_model_fingerprint: str,  # noqa: ARG001 (part of the cache key)
    ranking_lists: pa.Table | None = None,
    free_texts: pa.Table | None = None,
) -> tuple[Annotated[ModelDirectory, "model"], Annotated[TrainingRecord, "training_record"]]:
    """Returns the model that dev chose and the record of its training; a run that was cut off continues."""
    from finetrieve.training.train import train_model as train  # torch: seconds, which a run from the cache need not wait

    training = TrainingSettings.model_validate(settings)
    out = scratch_folder() / "model"
    result = train(
        to_rows(pairs, Pair),
        [*to_rows(chunks, Chunk), *(to_rows(free_texts, Chunk) if free_texts is not None else [])],
        training,
        training.base_model,
        out,
        checkpoint_root(),
        seed,
        reporter("Training"),
        to_rows(ranking_lists, RankedChunk) if ranking_lists is not None else [],
    )
    logger.info(f"trained in {result.record.seconds:.0f} s")
    return ModelDirectory(result.model_dir), result.record


@step(cache_policy=cache_policy(__file__, "import_model"), output_materializers={"model": ModelMaterializer})
def import_model(model: str, model_fingerprint: str) -> Annotated[ModelDirectory, "model"]:  # noqa: ARG001 (part of the cache key)
    """Returns the model as an artifact, copied from a directory or fetched from the Hub."""
    return ModelDirectory(Path(fetch_model(model)))
