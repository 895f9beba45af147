"""Steps that split the queries into train, dev and test, and that train a model or bring one from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pyarrow as pa
from zenml import step

from finetrieve.core.corpus import Corpus
from finetrieve.core.logging import get_logger
from finetrieve.core.model_directory import ModelDirectory
from finetrieve.core.rows import LabelledPair, Pair, RankedChunk
from finetrieve.core.split_report import SplitReport
from finetrieve.core.tables import to_rows, to_table
from finetrieve.core.training_record import TrainingRecord
from finetrieve.own_data.split_queries import SplitTask, split_all_queries
from finetrieve.retrieval.base_model import fetch_model
from finetrieve.training.settings import TrainingSettings
from steps.caching import cache_policy

logger = get_logger(__name__)


@step(cache_policy=cache_policy(__file__, "split_queries"))
def split_queries(
    queries: pa.Table,
    chunks: pa.Table,
    documents: pa.Table,
    task: SplitTask,
    eval_set_fingerprints: list[str],  # noqa: ARG001 (part of the cache key)
    annotations: pa.Table | None = None,
    labelled_pairs: pa.Table | None = None,
    clicked_pairs: pa.Table | None = None,
    pseudo_labels: pa.Table | None = None,
) -> tuple[Annotated[pa.Table, "pairs"], Annotated[pa.Table, "ranking_lists"], Annotated[SplitReport, "split_report"]]:
    """Returns the query-chunk pairs with their side, none of which asks what a human evaluation set asks, and lists of chunks
    whose order is learnt.

    Where people reviewed the queries, their answers are applied first; pairs of one's own stand beside them.
    """
    tables = [table for table in (labelled_pairs, clicked_pairs) if table is not None]
    own = [pair for table in tables for pair in to_rows(table, LabelledPair)]
    found = split_all_queries(queries, Corpus(chunks, documents), task, annotations, own, pseudo_labels)
    logger.info(", ".join(f"{count:,} {side}" for side, count in found.report.pairs.items()) + " pairs")
    return to_table(found.pairs, Pair), to_table(found.lists, RankedChunk), found.report


@step(cache_policy=cache_policy(__file__, "train_model"))
def train_model(
    pairs: pa.Table,
    chunks: pa.Table,
    settings: TrainingSettings,
    seed: int,
    base_model_fingerprint: str,  # noqa: ARG001 (part of the cache key)
    teacher_fingerprint: str,  # noqa: ARG001 (part of the cache key)
    ranking_lists: pa.Table | None = None,
    free_texts: pa.Table | None = None,
) -> tuple[Annotated[ModelDirectory, "model"], Annotated[TrainingRecord, "training_record"]]:
    """Returns the model that dev chose and the record of its training; a run that was cut off continues."""
    from finetrieve.training.train import train_on_tables  # torch: seconds, which a run from the cache need not wait

    model, record = train_on_tables(pairs, chunks, settings, seed, ranking_lists, free_texts)
    logger.info(f"trained in {record.seconds:.0f} s")
    return model, record


@step(cache_policy=cache_policy(__file__, "import_model"))
def import_model(model: str, model_fingerprint: str) -> Annotated[ModelDirectory, "model"]:  # noqa: ARG001 (part of the cache key)
    """Returns the model as an artifact, copied from a directory or fetched from the Hub."""
    return ModelDirectory(Path(fetch_model(model)))
