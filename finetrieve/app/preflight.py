"""Everything that can be found wrong before the work starts, in well under two seconds and without zenml or torch."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

from pydantic import Field

from finetrieve.app.config import Config
from finetrieve.app.language_check import check_languages
from finetrieve.app.results import EVALUATED, GENERATED, ROWS_FILE, check_replaceable
from finetrieve.core.code_hash import plugin_hash
from finetrieve.core.errors import InputError
from finetrieve.core.logging import get_logger
from finetrieve.core.settings import Settings
from finetrieve.corpus.sources.registry import check_source, fingerprint, unread_beside
from finetrieve.evaluation.arms import arm_of
from finetrieve.evaluation.eval_sets import check_eval_set
from finetrieve.evaluation.eval_sets import fingerprint as eval_set_fingerprint
from finetrieve.generation.generation_state import generation_state, response_cache_directory
from finetrieve.generation.settings import GenerationSettings
from finetrieve.own_data.imitation import with_real_queries
from finetrieve.own_data.pair_files import check_pairs, pairs_fingerprint
from finetrieve.own_data.query_files import queries_fingerprint, read_queries
from finetrieve.retrieval.base_model import check_base_model, model_fingerprint
from finetrieve.retrieval.reranker import reranker_class
from finetrieve.training.losses import LOSSES

logger = get_logger(__name__)
LATEST = "latest"
"""As `evaluation.model`: the model that the last training on these documents made."""


class Inputs(Settings):
    """Fingerprints of what lies outside the configuration: the cache keys see the world through them."""

    documents: str
    base_model: str
    eval_sets: list[str]
    evaluated_model: str = ""
    """Only of `evaluate`, when the configuration names a model."""
    generation_state: str = ""
    """Of the templates' texts, and of how many runs ended with failed requests: a run after one of them asks for those again."""
    pairs: list[str] = Field(default=[])
    """Of the pairs of one's own."""
    queries: list[str] = Field(default=[])
    """Of the queries of one's own."""
    reranker: str = ""
    """Of the cross-encoder that labels these, where the configuration has one."""
    base_models: list[str] = Field(default=[])
    """Of each, where there are several."""
    teacher: str = ""
    """Of the model whose scores are learnt, where the configuration has one."""


def corpus_tag(inputs: Inputs) -> str:
    """Returns the tag that every run on these documents carries."""
    return f"corpus-{inputs.documents[:12]}"


def evaluates_base_model(inputs: Inputs) -> bool:
    """Returns whether the model that `evaluate` was told to score is the base model: it shall not be called a trained one."""
    return bool(inputs.evaluated_model) and inputs.base_model.startswith(inputs.evaluated_model)


def check(pipeline: str, config: Config, out: Path | None, *, asks: bool = True) -> Inputs:
    """Returns the fingerprints of all inputs.

    Args:
        pipeline: What is to be run.
        config: The settings.
        out: The folder that results are to be written to.
        asks: Whether recipes will ask their LLMs, so that what they need of this machine has to be there.

    Raises:
        InputError: If documents, an evaluation set, a model or the output folder cannot be used.
    """
    if out is not None:
        _check_writable(out)
        check_replaceable(out, GENERATED if pipeline == "generate" else (*EVALUATED, ROWS_FILE))
    _check_models(pipeline, config)
    wants_recipe = pipeline == "generate" or not (config.pairs or config.query_logs)
    if pipeline != "evaluate" and wants_recipe and not config.generation.recipes:
        raise InputError(
            "generation.recipes is empty, so no queries are written. Name a recipe, or give pairs of your own: --pairs FILE."
        )
    writes = pipeline in ("generate", "retrain")
    generation = with_real_queries(config.generation, config.query_logs, config.seed) if writes else config.generation
    if writes:
        check_engine(config.generation)
        for recipe in generation.recipes if asks else []:
            recipe.check(config.generation.engine)
        if config.generation.topics is not None:
            check_base_model(config.generation.topics.embedding_model)
    document_ids = check_source(config.source)
    for note in filter(None, [unread_beside(config.source), _unread_data(pipeline, config)]):
        logger.info(note)
    for note in check_languages(pipeline, config):
        logger.warning(note)
    for settings in config.evaluation.eval_sets:
        check_eval_set(settings, document_ids)
    trains = _trains(pipeline)
    for pairs in config.pairs if trains else []:
        check_pairs(pairs)
    for queries in config.query_logs if trains else []:
        read_queries(queries)
        if asks and queries.grades is not None:
            queries.grades.check()
    inputs = _fingerprints(pipeline, config, generation)
    logger.debug(f"fingerprints: {inputs}")
    return inputs


def _check_models(pipeline: str, config: Config) -> None:
    """Raises an InputError for a model that cannot be found."""
    for base_model in config.training.base_models or [config.training.base_model]:
        check_base_model(base_model)
    if config.training.teacher is not None:
        check_base_model(config.training.teacher)
    if _evaluates_named_model(pipeline, config):
        check_base_model(config.evaluation.model)
    if config.evaluation.reranker is not None and reranker_class(config.evaluation.reranker) is None:
        check_base_model(config.evaluation.reranker)


def _evaluates_named_model(pipeline: str, config: Config) -> bool:
    return pipeline == "evaluate" and config.evaluation.model != LATEST


def _unread_data(pipeline: str, config: Config) -> str:
    """Returns that pairs or queries of one's own are not read by this pipeline, where there are some; else nothing."""
    shown = pipeline == "generate" and config.generation.imitates_logs
    given = {"pairs": config.pairs, "queries": [] if shown else config.query_logs}
    names = [name for name, sets in given.items() if sets]
    if _trains(pipeline) or not names:
        return ""
    return f"Your own {' and '.join(names)} are read by finetune and retrain, not by {pipeline}."


def _trains(pipeline: str) -> bool:
    return pipeline in ("finetune", "retrain")


def _fingerprints(pipeline: str, config: Config, generation: GenerationSettings) -> Inputs:
    """Returns the fingerprints of what a pipeline reads; `generation` are its settings with the queries that it shows to LLMs."""
    trains = _trains(pipeline)
    reads_queries = trains or generation is not config.generation
    responses = response_cache_directory(config.generation)
    loss = plugin_hash([LOSSES.get(config.training.loss)])
    return Inputs(
        documents=fingerprint(config.source),
        base_model=model_fingerprint(config.training.base_model) + loss,
        base_models=[model_fingerprint(base_model) + loss for base_model in config.training.base_models] if trains else [],
        eval_sets=[*(eval_set_fingerprint(settings) for settings in config.evaluation.eval_sets), *_evaluation_plugins(config)],
        evaluated_model=model_fingerprint(config.evaluation.model) if _evaluates_named_model(pipeline, config) else "",
        generation_state=generation_state(generation),
        pairs=[pairs_fingerprint(pairs) for pairs in config.pairs] if trains else [],
        queries=[queries_fingerprint(item, responses) for item in config.query_logs] if reads_queries else [],
        reranker="".join(_reranker_fingerprint(config)) if trains and config.query_logs else "",
        teacher=model_fingerprint(config.training.teacher) if trains and config.training.teacher is not None else "",
    )


def _evaluation_plugins(config: Config) -> list[str]:
    """Returns fingerprints of what evaluation depends on besides: the reranker's model, and the code of foreign arms."""
    arms = plugin_hash([type(arm_of(name)) for name in config.evaluation.arms])
    return [*_reranker_fingerprint(config), *([arms] if arms else [])]


def _reranker_fingerprint(config: Config) -> list[str]:
    """Returns a hash of the reranker's model, or of its code; none where there is no reranker."""
    reranker = config.evaluation.reranker
    own = reranker_class(reranker) if reranker else None
    if reranker is None:
        return []
    return [model_fingerprint(reranker) if own is None else plugin_hash([own])]


def check_engine(settings: GenerationSettings) -> None:
    """Raises an InputError for an engine that is not installed."""
    if settings.engine == "ray" and importlib.util.find_spec("ray") is None:
        raise InputError("generation.engine 'ray' needs the package 'ray', which is not installed: pip install -e '.[ray]'")


def _check_writable(out: Path) -> None:
    """Raises an InputError unless `out` is, or can become, a folder that we can write to; leaves nothing behind."""
    place = out.absolute()
    try:
        if out.exists() and not out.is_dir():
            raise InputError(f"--out '{out}' is a file; give a folder.")
        while not place.exists():
            place = place.parent
    except OSError as error:  # a name that is too long
        raise InputError(f"--out '{out}' cannot be a folder: {error.strerror}; give another one.") from None
    if not place.is_dir():
        raise InputError(f"--out '{out}' lies under '{place}', which is a file; give a folder.")
    if not os.access(place, os.W_OK | os.X_OK) or _is_read_only(place):
        raise InputError(f"--out '{out}' cannot be written: '{place}' is read-only; give a folder that you may write to.")
    try:  # the rights say nothing of /proc, of a full disk or of a network's folder
        tempfile.TemporaryDirectory(prefix=".finetrieve-", dir=place).cleanup()
    except OSError as error:
        raise InputError(
            f"--out '{out}' cannot be written: no folder can be made in '{place}' ({error.strerror}); give another one."
        ) from None


def _is_read_only(place: Path) -> bool:
    return bool(os.statvfs(place).f_flag & os.ST_RDONLY)
