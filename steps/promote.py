"""The step that enters the model into the registry and decides what becomes of it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import pyarrow as pa
from zenml import get_step_context, log_metadata, step

from finetrieve.core.progress import say
from finetrieve.registry.facts import facts_of
from finetrieve.registry.promotion_rule import decide_about
from finetrieve.registry.versions import attach, link, register, set_stage, versions
from finetrieve.reporting.model_history import history_page
from steps.caching import library_versions
from steps.materializers import HtmlMaterializer, JsonMaterializer, ModelDirectory


@step(
    enable_cache=False,
    output_materializers={"promotion_decision": JsonMaterializer, "model_history": HtmlMaterializer},
)
def promote(
    model: ModelDirectory,  # noqa: ARG001 (its artifact is what is registered)
    chunks: pa.Table,  # noqa: ARG001 (kept with the version: what it searches)
    metrics: dict[str, Any],
    comparison_with_production: dict[str, Any],
    model_name: str,
    origin: dict[str, Any],
) -> tuple[Annotated[dict[str, Any], "promotion_decision"], Annotated[str, "model_history"]]:
    """Returns the decision with the model's version, and a page with the history of the model's versions.

    Never cached: a model whose training came from the cache is registered and decided about all the same.
    """
    # 1. The version, with what it was made of.
    context = get_step_context()
    kept = {name: context.inputs[name][0] for name in ("model", "chunks", "metrics")}
    version = register(model_name, str(kept["model"].content_hash))
    link(version, [artifact.id for artifact in kept.values()], context.pipeline_run.id)
    facts = {**facts_of(metrics), "commit": origin.get("commit", ""), "packages": library_versions()}
    made_of = {f"{name}_artifact": str(artifact.id) for name, artifact in kept.items()}
    attach(version, {**facts, **made_of, "run": context.pipeline_run.name})

    # 2. The decision; it is logged before the stage changes, so that no stage is without a reason.
    decision = decide_about(version.record, metrics, comparison_with_production, bool(origin.get("promote_anyway")))
    if not comparison_with_production["is_production"]:
        attach(version, {"decision": {**asdict(decision), "at": datetime.now(UTC).isoformat(timespec="seconds")}})
        if decision.stage == "production":
            attach(version, {"served_since": datetime.now(UTC).isoformat(timespec="seconds")})
    set_stage(version, decision.stage)
    log_metadata(
        metadata={**facts, "model_version": version.label, "stage": decision.stage},
        run_id_name_or_prefix=context.pipeline_run.id,
    )
    say(f"{version.label} -> {decision.stage}. {decision.why}")
    return {"version": version.label, **asdict(decision)}, history_page(model_name, versions(model_name))
