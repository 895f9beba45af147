"""Inputs that are looked at where the steps run and when they run: a schedule compiles its pipeline only once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

from zenml import add_tags, get_step_context, step
from zenml.client import Client

from finetrieve.app.config import Config, plain
from finetrieve.app.preflight import check, corpus_tag
from finetrieve.core.paths import ROOT
from finetrieve.core.progress import say


class LiveInputs(NamedTuple):
    """The outputs of `fingerprint_inputs`, in place of the `Inputs` that the command line takes before it compiles a pipeline."""

    documents: Any
    base_model: Any
    eval_sets: Any
    generation_state: Any


@step(enable_cache=False)
def fingerprint_inputs(
    pipeline: str, config: dict[str, Any]
) -> tuple[
    Annotated[str, "documents_fingerprint"],
    Annotated[str, "base_model_fingerprint"],
    Annotated[list[str], "eval_set_fingerprints"],
    Annotated[str, "generation_state"],
]:
    """Returns the fingerprints of the documents, the base model and the evaluation sets as they are now, and what decides the
    queries beside the settings.

    It always runs. What follows is taken from the cache as long as the fingerprints stay the same.

    Raises:
        InputError: One of them cannot be used.
    """
    inputs = check(pipeline, Config.model_validate(config), None)
    tag, run = corpus_tag(inputs), get_step_context().pipeline_run
    known = Client().list_pipeline_runs(tags=[tag], sort_by="desc:created", size=1)
    add_tags(tags=[tag], run=run.id)
    say(f"the documents are those of run '{known.items[0].name}'" if known.items else "the documents changed, or are new")
    return inputs.documents, inputs.base_model, list(inputs.eval_sets), inputs.generation_state


def look_later(pipeline: str, config: Config) -> LiveInputs:
    """Returns the inputs as they will be when the pipeline runs; called while it is compiled."""
    return LiveInputs(*fingerprint_inputs(pipeline, plain(config)))


def shipped(config: Config) -> Config:
    """Returns the configuration with paths inside the project relative to it, since the code travels, and others absolute."""

    def inside(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: inside(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [inside(item) for item in value]
        if not isinstance(value, str) or not (Path(value).is_absolute() or (key == "path" and Path(value).exists())):
            return value
        place = Path(value).absolute()
        return place.relative_to(ROOT).as_posix() if place.is_relative_to(ROOT) else str(place)

    return Config.model_validate(inside(plain(config)))
