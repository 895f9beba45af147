"""What a run takes from Argilla before the work starts: whether the server can be used, and evaluation sets that lie there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from finetrieve.annotation.human_eval_sets import PREFIX, dataset_of
from finetrieve.annotation.settings import AnnotationSettings, dataset_name
from finetrieve.app.config import Config
from finetrieve.core.errors import InputError
from finetrieve.core.logging import get_logger
from finetrieve.evaluation.settings import EvalSetSettings, EvaluationSettings

if TYPE_CHECKING:
    from finetrieve.annotation.client import Server
    from finetrieve.annotation.human_eval_sets import HumanQuery

logger = get_logger(__name__)

ENOUGH = 20
"""People's queries from which on they become an evaluation set by themselves; fewer say nothing."""
EVALUATING = ("finetune", "retrain", "evaluate")
REVIEWING = ("generate", "finetune", "retrain")


def check_named_server(pipeline: str, config: Config) -> None:
    """Checks that the Argilla server which a configuration or the environment names can take and give what a pipeline wants.

    The embedded server is started when it is needed; a ZenML secret is read then too.

    Raises:
        InputError: It cannot: address, key, workspace, or a dataset of that name with another schema.
    """
    settings = config.reviewing
    if settings is None or pipeline not in REVIEWING or settings.secret is not None:
        return
    from finetrieve.annotation.connection import url_of_environment

    if settings.url is None and url_of_environment() is None:
        return
    from finetrieve.annotation.client import find_dataset, find_workspace
    from finetrieve.annotation.connection import open_server
    from finetrieve.annotation.dataset import check_dataset

    with open_server(settings) as server:
        dataset = find_dataset(server, find_workspace(server), dataset_name(settings, config.source))
        if dataset is not None and dataset["status"] != "draft":
            check_dataset(server, dataset, None)


def refuse_argilla_sets(config: Config) -> None:
    """Raises InputError where an evaluation set lies in Argilla: a schedule compiles its sets only once."""
    if any(dataset_of(item.path) is not None for item in config.evaluation.eval_sets):
        raise InputError("A schedule cannot evaluate on argilla: sets, which change from run to run. Give it a folder.")


def with_argilla_sets(pipeline: str, config: Config) -> Config:
    """Returns the configuration with every set that lies in Argilla replaced by a folder that holds it as it is now.

    Where people's own queries are to be evaluated on, those of the pipeline's own dataset are a set too, once there are enough.

    Raises:
        InputError: The server cannot be used, or a set that was named has no query.
    """
    named = [item for item in config.evaluation.eval_sets if dataset_of(item.path) is not None]
    own = config.reviewing is not None and config.reviewing.human_queries == "evaluate" and pipeline in EVALUATING
    if not named and not own:
        return config
    from finetrieve.annotation.connection import open_server
    from finetrieve.corpus.sources.registry import check_source

    settings = config.annotation or AnnotationSettings()
    documents = set(check_source(config.source))
    with open_server(settings) as server:
        sets = [_fetch_set(server, item, documents) for item in config.evaluation.eval_sets]
        if own:
            sets += _own_set(server, dataset_name(settings, config.source), sets, documents)
    # Validated again: two sets may now bear one name.
    evaluation = EvaluationSettings.model_validate({**config.evaluation.model_dump(), "eval_sets": sets})
    return config.model_copy(update={"evaluation": evaluation})


def _fetch_set(server: Server, item: EvalSetSettings, documents: set[str]) -> EvalSetSettings:
    from finetrieve.annotation.human_eval_sets import read_human_queries

    name = dataset_of(item.path)
    return item if name is None else _write_folder(name, read_human_queries(server, name, documents), item.name)


def _write_folder(name: str, queries: Sequence[HumanQuery], label: str | None) -> EvalSetSettings:
    from finetrieve.annotation.human_eval_sets import write_eval_set

    return EvalSetSettings(path=write_eval_set(queries, name), name=label or f"{PREFIX}{name}")


def _own_set(server: Server, name: str, sets: Sequence[EvalSetSettings], documents: set[str]) -> list[EvalSetSettings]:
    """Returns the pipeline's own dataset as a set, unless it is one already or has too few queries."""
    from finetrieve.annotation.human_eval_sets import read_human_queries

    queries = read_human_queries(server, name, documents)
    if len(queries) < ENOUGH:
        logger.info(f"{len(queries)} queries of people's own in Argilla; from {ENOUGH} on they are an evaluation set")
        return []
    found = _write_folder(name, queries, None)
    return [] if any(item.path == found.path for item in sets) else [found]
