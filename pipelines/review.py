"""The part of the pipelines that people have: queries go to Argilla, and answers come back.

generate: ... -> enrich_queries -> push_annotations; finetune: pull_annotations -> ...; and, where the configuration asks what the
review was worth, the split and the training once more on the queries as they were generated -> measure_review.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from finetrieve.annotation.settings import dataset_name
from finetrieve.app.catalogue import SPLIT_GENERATED, TRAIN_ON_GENERATED
from finetrieve.app.config import Config, plain
from pipelines.shared import Fingerprints, Generated, evaluation_arguments, split_arguments
from steps.annotation import enrich_queries, pull_annotations, push_annotations
from steps.evaluation import measure_review
from steps.training import split_queries, train_model


class Reviewed(NamedTuple):
    """What a pull brought; nothing where nobody reviews."""

    annotations: Any = None
    annotation_report: Any = None


def review_settings(config: Config) -> dict[str, Any]:
    """Returns what the split has to know of the review."""
    settings = config.reviewing
    return {"use": settings.use, "train_on_human_queries": settings.human_queries == "train"} if settings else {}


def wire_push(config: Config, inputs: Fingerprints, made: Generated) -> bool:
    """Wires enrich_queries -> push_annotations inside the pipeline that calls this; returns whether there is a push."""
    settings = config.reviewing
    if settings is None:
        return False
    asked = {"queries": made.queries, "chunks": made.chunks}
    facts, query_vectors, chunk_vectors = enrich_queries(
        documents=made.documents,
        split=plain(config.split),
        human_eval=bool(config.evaluation.eval_sets),
        base_model=config.training.base_model,
        base_model_fingerprint=inputs.base_model,
        **asked,
    )
    push_annotations(
        query_facts=facts,
        query_vectors=query_vectors,
        chunk_vectors=chunk_vectors,
        settings=plain(settings),
        dataset=dataset_name(settings, config.source),
        **asked,
    )
    return True


def wire_pull(config: Config, made: Generated, pushed: bool) -> Reviewed:
    """Wires pull_annotations where people review, after a push where there is one."""
    settings = config.reviewing
    if settings is None:
        return Reviewed()
    found = pull_annotations(
        chunks=made.chunks,
        settings=plain(settings),
        dataset=dataset_name(settings, config.source),
        after=["push_annotations"] if pushed else None,
    )
    return Reviewed(*found)


def wire_comparison(config: Config, inputs: Fingerprints, made: Generated, pairs: Any, scores_per_query: Any) -> Any:
    """Wires the training as if nobody had reviewed -> measure_review, and returns the effect; None where it is not asked for."""
    if config.reviewing is None or not config.reviewing.compare:
        return None
    generated_pairs, _, _ = split_queries(id=SPLIT_GENERATED, **split_arguments(config, inputs, made))
    model, _ = train_model(
        pairs=generated_pairs,
        chunks=made.chunks,
        settings=plain(config.training),
        seed=config.seed,
        base_model_fingerprint=inputs.base_model,
        teacher_fingerprint=inputs.teacher,
        id=TRAIN_ON_GENERATED,
    )
    return measure_review(
        generated_only_model=model,
        scores_per_query=scores_per_query,
        pairs=pairs,
        **evaluation_arguments(config, inputs, made),
    )
