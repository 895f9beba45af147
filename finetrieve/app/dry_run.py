"""`--dry-run`: reads and cuts the documents as a run would, and says what generation would ask; no ZenML, no LLM."""

from __future__ import annotations

import warnings

from finetrieve.app.config import Config
from finetrieve.app.preflight import check
from finetrieve.core.errors import InputError


def dry_run_text(pipeline: str, config: Config) -> str:
    """Returns what a run of `pipeline` would ask an LLM, and which words of the documents it would be asked about.

    Raises:
        InputError: The pipeline generates nothing, or an input cannot be used.
    """
    if pipeline not in ("generate", "retrain"):
        raise InputError(f"--dry-run shows what generation would ask; '{pipeline}' generates nothing. Use generate or retrain.")
    check(pipeline, config, None)

    from finetrieve.corpus.chunking import build_chunks
    from finetrieve.corpus.sources.registry import read_source
    from finetrieve.retrieval.base_model import load_tokenizer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # distilabel's import warns about what pydantic has deprecated
        from finetrieve.generation.estimate import dry_run

    read = read_source(config.source)
    result = build_chunks(read.documents, config.chunks, load_tokenizer(config.training.base_model), read.words)
    return "\n\n".join([dry_run(result.chunks, config.generation, config.seed), "\n".join(result.report.words.lines())])
