"""Steps that write queries for the chunks, and that keep the good ones."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from zenml import step

from finetrieve.core.corpus import Corpus
from finetrieve.core.curation_report import CurationReport
from finetrieve.core.generation_report import GenerationReport
from finetrieve.core.logging import get_logger
from finetrieve.core.numbers import counted
from finetrieve.core.progress import reporter
from finetrieve.curation.curate import curate
from finetrieve.curation.filters import FilterSettings
from finetrieve.generation.generate import generate
from finetrieve.generation.llm.api_keys import keys_in_environment
from finetrieve.generation.settings import GenerationSettings
from finetrieve.own_data.imitation import with_real_queries
from finetrieve.own_data.settings import QuerySettings
from steps.caching import cache_policy
from steps.materializers import GraphMaterializer

logger = get_logger(__name__)


@step(cache_policy=cache_policy(__file__, "generate_queries"), output_materializers={"chunk_graph": GraphMaterializer})
def generate_queries(
    chunks: pa.Table,
    settings: GenerationSettings,
    seed: int,
    generation_state: str = "",  # noqa: ARG001  # after a run with failed requests it differs, and so does the cache key
    query_sets: list[QuerySettings] | None = None,
    query_fingerprints: list[str] | None = None,  # noqa: ARG001 (part of the cache key)
) -> tuple[
    Annotated[pa.Table, "generated_queries"],
    Annotated[pa.Table, "unreadable_queries"],
    Annotated[pa.Table, "written_rows"],
    Annotated[pa.Table, "chunk_graph"],
    Annotated[GenerationReport, "generation_report"],
]:
    """Returns queries with their chunks, what read badly, rows that are no queries, the links between chunks, and the counts."""
    recipes = with_real_queries(settings, query_sets or [], seed)
    with (
        tempfile.TemporaryDirectory(prefix="finetrieve-distilabel-") as cache_dir,
        keys_in_environment(recipes.recipes) as key_envs,
    ):
        result = generate(chunks, recipes, seed, Path(cache_dir), reporter("Queries asked for"), key_envs=key_envs)
    logger.info(f"{counted(result.queries.num_rows, 'query', 'queries')} for {counted(chunks.num_rows, 'chunk')}")
    if result.written.num_rows:
        rows = counted(result.written.num_rows, "row that is no query", "rows that are no queries")
        logger.info(f"{rows} for a chunk")
    if failures := result.report.failures:
        why = ", ".join(f"{kind} {number:,}" for kind, number in failures.items())
        logger.warning(f"{counted(sum(failures.values()), 'request')} failed ({why}); running again asks only for those")
    for label, graph in result.report.graphs.items():
        parts = counted(graph.nodes, "chunk"), counted(graph.edges, "link"), counted(graph.components, "part")
        logger.info(f"Graph of {label}: {', '.join(parts)}")
    return result.queries, result.rejects, result.written, result.links, result.report


@step(cache_policy=cache_policy(__file__, "curate_queries"))
def curate_queries(
    generated_queries: pa.Table,
    chunks: pa.Table,
    filters: list[FilterSettings],
    base_model: str,
    base_model_fingerprint: str,  # noqa: ARG001 (part of the cache key)
    plugin_code: str,  # noqa: ARG001 (part of the cache key: of filters that are not this project's)
) -> tuple[
    Annotated[pa.Table, "queries"],
    Annotated[pa.Table, "rejected_queries"],
    Annotated[CurationReport, "curation_report"],
]:
    """Returns the queries that pass every filter, the others with the reason, and the keep rates."""
    result = curate(generated_queries, Corpus(chunks), filters, base_model)
    logger.info(f"{result.queries.num_rows:,} of {generated_queries.num_rows:,} queries kept")
    return result.queries, result.rejects, result.report
