"""Steps that bring pairs of one's own to the chunks of the documents."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
from zenml import step

from finetrieve.core.corpus import Corpus
from finetrieve.core.logging import get_logger
from finetrieve.core.own_data_report import PairsReport
from finetrieve.core.rows import Chunk, LabelledPair, Reject
from finetrieve.core.tables import to_table
from finetrieve.own_data.load import load_own_pairs
from finetrieve.own_data.settings import PairSettings
from steps.caching import cache_policy
from steps.materializers import JsonMaterializer, TableMaterializer

logger = get_logger(__name__)


@step(
    cache_policy=cache_policy(__file__, "load_pairs"),
    output_materializers={
        "labelled_pairs": TableMaterializer,
        "free_texts": TableMaterializer,
        "unmatched_pairs": TableMaterializer,
        "pairs_report": JsonMaterializer,
    },
)
def load_pairs(
    chunks: pa.Table,
    documents: pa.Table,
    duplicates: pa.Table,
    sets: list[dict[str, Any]],
    pair_fingerprints: list[str],  # noqa: ARG001 (part of the cache key)
    base_model: str,
    base_model_fingerprint: str,  # noqa: ARG001 (part of the cache key)
) -> tuple[
    Annotated[pa.Table, "labelled_pairs"],
    Annotated[pa.Table, "free_texts"],
    Annotated[pa.Table, "unmatched_pairs"],
    Annotated[PairsReport, "pairs_report"],
]:
    """Returns the pairs of one's own with their chunks, texts that are no chunks, what was not matched, and the counts."""
    settings = [PairSettings.model_validate(item) for item in sets]
    found = load_own_pairs(settings, Corpus(chunks, documents, duplicates), base_model)
    for name, counts in found.report.sets.items():
        how = ", ".join(f"{kind} {number:,}" for kind, number in counts.matched.items())
        logger.info(f"{name}: {counts.pairs:,} pairs of {counts.queries:,} queries ({how or 'none matched'})")
        if counts.unmatched:
            first = f": {counts.examples[0].reason}" if counts.examples else ""
            logger.warning(f"{name}: {counts.unmatched:,} answers match no chunk and are left out{first}")
    return (
        to_table(found.pairs, LabelledPair),
        to_table(found.free_texts, Chunk),
        to_table(found.unmatched, Reject),
        found.report,
    )
