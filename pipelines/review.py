"""The part of the pipelines that people have: queries go to Argilla, and answers come back."""

from __future__ import annotations

from typing import Any, NamedTuple

from finetrieve.annotation.settings import AnnotationSettings, dataset_name
from finetrieve.app.config import Config, plain
from finetrieve.app.preflight import Inputs
from finetrieve.app.remote.live_inputs import LiveInputs
from pipelines.artifacts import Generated
from steps.enrich_queries import enrich_queries
from steps.measure_review import measure_review
from steps.pull_annotations import pull_annotations
from steps.push_annotations import push_annotations
from steps.train_on_generated import train_on_generated

PUSH = "push_annotations"


class Reviewed(NamedTuple):
    """What a pull brought."""

    annotations: Any
    annotation_report: Any
    settings: AnnotationSettings

    @property
    def split_arguments(self) -> dict[str, Any]:
        """What the split has to know of the review."""
        train = self.settings.human_queries == "train"
        return {"annotations": self.annotations, "use": self.settings.use, "train_on_human_queries": train}


def wire_push(config: Config, inputs: Inputs | LiveInputs, made: Generated) -> bool:
    """Wires enrich_queries -> push_annotations inside the pipeline that calls this; returns whether there is a push."""
    settings = config.reviewing
    if settings is None:
        return False
    human_eval = bool(config.evaluation.eval_sets)
    facts, query_vectors, chunk_vectors = enrich_queries(
        made.queries,
        made.chunks,
        made.documents,
        plain(config.split),
        human_eval,
        config.training.base_model,
        inputs.base_model,
    )
    name = dataset_name(settings, plain(config.source))
    push_annotations(made.queries, made.chunks, facts, query_vectors, chunk_vectors, plain(settings), name)
    return True


def wire_pull(config: Config, made: Generated, pushed: bool) -> Reviewed | None:
    """Wires pull_annotations, after a push where there is one; returns None where nobody reviews."""
    settings = config.reviewing
    if settings is None:
        return None
    name = dataset_name(settings, plain(config.source))
    annotations, report = pull_annotations(made.chunks, plain(settings), name, after=[PUSH] if pushed else None)
    return Reviewed(annotations, report, settings)


def wire_comparison(config: Config, inputs: Inputs | LiveInputs, made: Generated, pairs: Any, scores_per_query: Any) -> Any:
    """Wires train_on_generated -> measure_review where the configuration asks for it; returns the effect, or None."""
    if config.reviewing is None or not config.reviewing.compare:
        return None
    eval_sets = [plain(settings) for settings in config.evaluation.eval_sets]
    model = train_on_generated(
        made.queries,
        made.chunks,
        made.documents,
        plain(config.split),
        plain(config.training),
        eval_sets,
        inputs.eval_sets,
        inputs.base_model,
        config.seed,
    )
    return measure_review(
        model,
        scores_per_query,
        made.chunks,
        made.documents,
        made.duplicates,
        pairs,
        plain(config.evaluation),
        plain(config.chunks),
        inputs.eval_sets,
        config.seed,
    )
