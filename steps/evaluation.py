"""Steps that score every way of searching, compare two models, and write the report."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa
from zenml import get_step_context, step
from zenml.client import Client

from finetrieve.core.annotation_report import AnnotationReport
from finetrieve.core.base_model_report import BaseModelComparison
from finetrieve.core.corpus import Corpus
from finetrieve.core.curation_report import CurationReport
from finetrieve.core.generation_report import GenerationReport
from finetrieve.core.logging import get_logger
from finetrieve.core.model_directory import ModelDirectory
from finetrieve.core.own_data_report import PairsReport, QueriesReport
from finetrieve.core.progress import reporter
from finetrieve.core.split_report import SplitReport
from finetrieve.core.training_record import TrainingRecord
from finetrieve.corpus.report import CorpusReport
from finetrieve.evaluation.comparison import compare_models
from finetrieve.evaluation.details import EvaluationDetails
from finetrieve.evaluation.evaluate import evaluate
from finetrieve.evaluation.result import EvaluationResult, QueryReport, ReviewEffect
from finetrieve.evaluation.settings import EvaluationTask
from finetrieve.evaluation.verdict import AUTO, reach_verdict
from finetrieve.registry.promotion_rule import ModelComparison, ProductionModel
from finetrieve.registry.run_facts import facts_of_run
from finetrieve.reporting.report import render_report
from finetrieve.reporting.report_details import report_details, review_metrics
from steps.caching import cache_policy
from steps.materializers import HtmlMaterializer

logger = get_logger(__name__)


@step(cache_policy=cache_policy(__file__, "evaluate_model"))
def evaluate_model(
    chunks: pa.Table,
    documents: pa.Table,
    duplicates: pa.Table,
    task: EvaluationTask,
    base_model: str,
    base_model_fingerprint: str,  # noqa: ARG001 (part of the cache key)
    eval_set_fingerprints: list[str],  # noqa: ARG001 (part of the cache key)
    model: ModelDirectory | None = None,
    pairs: pa.Table | None = None,
) -> tuple[
    Annotated[EvaluationResult, "scores"],
    Annotated[pa.Table, "scores_per_query"],
    Annotated[EvaluationDetails, "evaluation_details"],
]:
    """Returns the metrics of all arms with intervals, the scores per query, and what the report shows of single queries.

    Without a model only the arms that need no training are scored.
    """
    trained = None if model is None else model.path
    found = evaluate(trained, base_model, Corpus(chunks, documents, duplicates), pairs, task, reporter)
    return found.metrics, found.per_query, found.details


@step(cache_policy=cache_policy(__file__, "compare_with_production"))
def compare_with_production(
    model: ModelDirectory,  # noqa: ARG001 (its content hash tells whether it is the one in production)
    production_model: ProductionModel,
    scores_per_query: pa.Table,
    chunks: pa.Table,
    documents: pa.Table,
    duplicates: pa.Table,
    pairs: pa.Table,
    task: EvaluationTask,
    eval_set_fingerprints: list[str],  # noqa: ARG001 (part of the cache key)
) -> Annotated[ModelComparison, "comparison_with_production"]:
    """Returns how the new model differs from the one in production."""
    label = production_model.label
    if label is None:
        return ModelComparison()
    if get_step_context().inputs["model"][0].content_hash == production_model.content_hash:
        return ModelComparison(against=label, is_production=True)
    logger.info(f"The same questions to {label}, which is in production")
    other = Client().get_artifact_version(str(production_model.artifact)).load().path
    rows = compare_models(other, scores_per_query, Corpus(chunks, documents, duplicates), pairs, task)
    return ModelComparison(against=label, rows=rows)


@step(cache_policy=cache_policy(__file__, "measure_review"))
def measure_review(
    generated_only_model: ModelDirectory,
    scores_per_query: pa.Table,
    chunks: pa.Table,
    documents: pa.Table,
    duplicates: pa.Table,
    pairs: pa.Table,
    task: EvaluationTask,
    eval_set_fingerprints: list[str],  # noqa: ARG001 (part of the cache key)
) -> Annotated[ReviewEffect, "review_effect"]:
    """Returns per evaluation set, arm and metric the reviewed model's value, the other's, and the difference.

    Both models answer the same questions, also where people corrected a generated one: what is measured is the training.
    """
    corpus = Corpus(chunks, documents, duplicates)
    return ReviewEffect(rows=compare_models(generated_only_model.path, scores_per_query, corpus, pairs, task))


@step(cache_policy=cache_policy(__file__, "build_report"), output_materializers={"report": HtmlMaterializer})
def build_report(
    scores: EvaluationResult,
    evaluation_details: EvaluationDetails,
    corpus_report: CorpusReport,
    chunks: pa.Table,
    configuration: str,
    seed: int,
    training_record: TrainingRecord | None = None,
    generation_report: GenerationReport | None = None,
    curation_report: CurationReport | None = None,
    split_report: SplitReport | None = None,
    queries: pa.Table | None = None,
    rejected_queries: pa.Table | None = None,
    annotation_report: AnnotationReport | None = None,
    review_effect: ReviewEffect | None = None,
    pairs_report: PairsReport | None = None,
    queries_report: QueriesReport | None = None,
    headline_arm: str = AUTO,
    base_models: BaseModelComparison | None = None,
) -> tuple[Annotated[str, "report"], Annotated[EvaluationResult, "metrics"]]:
    """Returns the self-contained HTML report and the content of `metrics.json`."""
    training, split = training_record or TrainingRecord(), split_report or SplitReport()
    metrics = EvaluationResult(
        eval_sets=scores.eval_sets,
        verdict=reach_verdict(scores.eval_sets, headline_arm, training.guard),
        training=training,
        generation=QueryReport(
            **(generation_report or GenerationReport()).as_json(),
            filters=curation_report or CurationReport({}),
            split=split,
        ),
        corpus=corpus_report,
    )
    reports = {"pairs": pairs_report, "queries": queries_report, "base_models": base_models}
    own = {name: found for name, found in reports.items() if found is not None}
    metrics = metrics.model_copy(update={**review_metrics(annotation_report, split, review_effect), **own})
    origin = {"base_model": training.base_words, **facts_of_run(get_step_context().pipeline_run)}
    details = report_details(evaluation_details, corpus_report, chunks, queries, rejected_queries, configuration, seed, origin)
    return render_report(metrics, details), metrics
