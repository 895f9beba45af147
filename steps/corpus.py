"""Steps about the documents: what they are now, and how they are read and cut into chunks."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa
from zenml import add_tags, get_step_context, step
from zenml.client import Client

from finetrieve.app.config import Config
from finetrieve.app.preflight import check, corpus_tag
from finetrieve.core.logging import get_logger
from finetrieve.core.numbers import counted
from finetrieve.corpus.chunking import build_corpus
from finetrieve.corpus.report import CorpusReport
from finetrieve.corpus.sources.registry import CorpusSettings, read_source
from finetrieve.retrieval.base_model import load_tokenizer
from steps.caching import cache_policy

logger = get_logger(__name__)


@step(enable_cache=False)
def fingerprint_inputs(
    pipeline: str, config: Config
) -> tuple[
    Annotated[str, "documents_fingerprint"],
    Annotated[str, "base_model_fingerprint"],
    Annotated[list[str], "eval_set_fingerprints"],
    Annotated[str, "generation_state"],
    Annotated[list[str], "pair_fingerprints"],
    Annotated[list[str], "query_fingerprints"],
    Annotated[str, "reranker_fingerprint"],
    Annotated[list[str], "base_model_fingerprints"],
    Annotated[str, "teacher_fingerprint"],
]:
    """Returns the fingerprints of the documents, the base model, the evaluation sets and the pairs of one's own as they are now,
    and what decides the queries beside the settings.

    It always runs. What follows is taken from the cache as long as the fingerprints stay the same.

    Raises:
        InputError: One of them cannot be used.
    """
    inputs = check(pipeline, config, None)
    tag, run = corpus_tag(inputs), get_step_context().pipeline_run
    known = Client().list_pipeline_runs(tags=[tag], sort_by="desc:created", size=1)
    add_tags(tags=[tag], run=run.id)
    logger.info(f"the documents are those of run '{known.items[0].name}'" if known.items else "the documents changed, or are new")
    found = inputs.documents, inputs.base_model, list(inputs.eval_sets), inputs.generation_state
    return *found, list(inputs.pairs), list(inputs.queries), inputs.reranker, list(inputs.base_models), inputs.teacher


@step(cache_policy=cache_policy(__file__, "load_chunks"))
def load_chunks(
    settings: CorpusSettings,
    base_model: str,
    base_model_fingerprint: str,  # noqa: ARG001 (part of the cache key: the tokenizer measures the chunks)
    documents_fingerprint: str,
) -> tuple[
    Annotated[pa.Table, "chunks"],
    Annotated[pa.Table, "documents"],
    Annotated[pa.Table, "duplicates"],
    Annotated[CorpusReport, "corpus_report"],
]:
    """Returns the chunks, the documents they come from, the chunks left out as duplicates, and what was read and skipped."""
    read = read_source(settings.source)
    corpus, report = build_corpus(read, settings.chunks, load_tokenizer(base_model), documents_fingerprint)
    state = f"; {read.version}" if read.version else ""
    logger.info(
        f"{counted(len(read.documents), 'document')} ({len(read.skipped):,} skipped) -> {counted(len(corpus), 'chunk')}{state}"
    )
    for line in report.skipped_lines():
        logger.info(line)
    return corpus.chunks, corpus.documents, corpus.duplicates, report
