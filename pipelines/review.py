"""The part of the pipelines that people have: queries go to Argilla, and answers come back.

generate: ... -> enrich_queries -> push_annotations; finetune: pull_annotations -> ...; and, where the configuration asks what the
review was worth, the split and the training once more on the queries as they were generated -> measure_review.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from finetrieve.annotation.settings import AnnotationSettings, dataset_name
from finetrieve.app.catalogue import SPLIT_GENERATED, TRAIN_ON_GENERATED
from finetrieve.app.config import Config, plain
from finetrieve.app.preflight import Inputs
from pipelines.artifacts import Generated, RuntimeFingerprints
from steps.annotation import enrich_queries, pull_annotations, push_annotations
from steps.evaluation import measure_review
from steps.training import split_queries, train_model


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


def wire_push(config: Config, inputs: Inputs | RuntimeFingerprints, made: Generated) -> bool:
    """Wires enrich_queries -> push_annotations inside the pipeline that calls this; returns whether there is a push."""
    settings = config.reviewing
    if settings is None:
        return False
    facts, query_vectors, chunk_vectors = enrich_queries(
        queries=made.queries,
        chunks=made.chunks,
        documents=made.documents,
        split=plain(config.split),
        human_eval=bool(config.evaluation.eval_sets),
        base_model=config.training.base_model,
        base_model_fingerprint=inputs.base_model,
    )
    push_annotations(
        queries=made.queries,
        chunks=made.chunks,
        query_facts=facts,
        query_vectors=query_vectors,
        chunk_vectors=chunk_vectors,
        settings=plain(settings),
        dataset=dataset_name(settings, config.source),
    )
    return True


def wire_pull(config: Config, made: Generated, pushed: bool) -> Reviewed | None:
    """Wires pull_annotations, after a push where there is one; returns None where nobody reviews."""
    settings = config.reviewing
    if settings is None:
        return None
    annotations, report = pull_annotations(
        chunks=made.chunks,
        settings=plain(settings),
        dataset=dataset_name(settings, config.source),
        after=["push_annotations"] if pushed else None,
    )
    return Reviewed(annotations=annotations, annotation_report=report, settings=settings)


def wire_comparison(
    config: Config, inputs: Inputs | RuntimeFingerprints, made: Generated, pairs: Any, scores_per_query: Any
) -> Any:
    """Wires the training as if nobody had reviewed -> measure_review, and returns the effect; None where it is not asked for."""
    if config.reviewing is None or not config.reviewing.compare:
        return None
    generated_pairs, _, _ = split_queries(
        queries=made.queries,
        chunks=made.chunks,
        documents=made.documents,
        settings=plain(config.split),
        eval_sets=[plain(settings) for settings in config.evaluation.eval_sets],
        eval_set_fingerprints=inputs.eval_sets,
        id=SPLIT_GENERATED,
    )
    model, _ = train_model(
        pairs=generated_pairs,
        chunks=made.chunks,
        settings=plain(config.training),
        seed=config.seed,
        base_model_fingerprint=inputs.base_model,
        id=TRAIN_ON_GENERATED,
    )
    return measure_review(
        generated_only_model=model,
        scores_per_query=scores_per_query,
        chunks=made.chunks,
        documents=made.documents,
        duplicates=made.duplicates,
        pairs=pairs,
        settings=plain(config.evaluation),
        chunk_settings=plain(config.chunks),
        eval_set_fingerprints=inputs.eval_sets,
        seed=config.seed,
    )
