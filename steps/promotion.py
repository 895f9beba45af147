"""Steps that find the model in production, decide what becomes of a new one, and tell people how the run ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import pyarrow as pa
from zenml import add_tags, get_step_context, log_metadata, step
from zenml.client import Client

from finetrieve.app.notifications import steps_that_ran, success_message, tell
from finetrieve.app.run_metadata import RunMetadata
from finetrieve.core.code_hash import library_versions
from finetrieve.core.logging import get_logger
from finetrieve.core.model_directory import ModelDirectory
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.registry.facts import facts_of, made_by
from finetrieve.registry.promotion_rule import ModelComparison, ProductionModel, PromotionDecision, decide_about
from finetrieve.registry.run_facts import facts_of_run, outcome_tags
from finetrieve.registry.versions import artifact_of, attach, link, register, set_stage, version_in, versions
from finetrieve.reporting.model_history import history_page
from steps.materializers import HtmlMaterializer

logger = get_logger(__name__)


@step(enable_cache=False)
def find_production(model_name: str) -> Annotated[ProductionModel, "production_model"]:
    """Returns the version in production.

    Never cached, since a person may promote another one at any time; an equal answer leaves what follows cached.
    """
    version = version_in("production", model_name)
    if version is None:
        return ProductionModel()
    found = artifact_of(version, "model")
    return ProductionModel(version=version.number, label=version.label, content_hash=found.content_hash, artifact=str(found.id))


@step(enable_cache=False, output_materializers={"model_history": HtmlMaterializer})
def promote(
    model: ModelDirectory,  # noqa: ARG001 (its artifact is what is registered)
    chunks: pa.Table,  # noqa: ARG001 (kept with the version: what it searches)
    metrics: EvaluationResult,
    comparison_with_production: ModelComparison,
    model_name: str,
    run_metadata: RunMetadata,
) -> tuple[Annotated[PromotionDecision, "promotion_decision"], Annotated[str, "model_history"]]:
    """Returns the decision with the model's version, and a page with the history of the model's versions.

    Never cached: a model whose training came from the cache is registered and decided about all the same.
    """
    # 1. The version, with what it was made of.
    context = get_step_context()
    kept = {name: context.inputs[name][0] for name in ("model", "chunks", "metrics")}
    version = register(model_name, str(kept["model"].content_hash))
    link(version, [artifact.id for artifact in kept.values()], context.pipeline_run.id)
    facts, run = facts_of(metrics), {**facts_of_run(context.pipeline_run), "packages": library_versions()}
    made_of = {f"{name}_artifact": str(artifact.id) for name, artifact in kept.items()}
    attach(version, {**facts, **made_of, **made_by(version.record, run)})

    # 2. The decision; it is logged before the stage changes, so that no stage is without a reason.
    anyway = run_metadata.promote_anyway
    decision = decide_about(version.record, metrics, comparison_with_production, anyway, version.label)
    if not comparison_with_production.is_production:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        attach(version, {"decision": {**decision.model_dump(exclude={"version"}), "at": now}})
        if decision.stage == "production":
            attach(version, {"served_since": now, "rolled_back": ""})
    set_stage(version, decision.stage)
    log_metadata(
        metadata={**facts, **run, "model_version": version.label, "stage": decision.stage},
        run_id_name_or_prefix=context.pipeline_run.id,
    )
    add_tags(tags=outcome_tags(model_name, metrics, decision.stage), run=context.pipeline_run.id)
    decision = decision.model_copy(update={"version": version.label})
    logger.info(decision.sentence)
    return decision, history_page(model_name, versions(model_name))


@step(enable_cache=False)
def notify(metrics: EvaluationResult, promotion_decision: PromotionDecision) -> None:
    """Tells how the run ended; that nothing changed, if all that can come from the cache did."""
    run = Client().get_pipeline_run(get_step_context().pipeline_run.id)
    tell(success_message(run.name, steps_that_ran(run), metrics, promotion_decision))
