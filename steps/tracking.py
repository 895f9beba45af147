"""The step that hands a run's curves and metrics to the stack's experiment tracker."""

from __future__ import annotations

from zenml import step
from zenml.client import Client

from finetrieve.evaluation.result import EvaluationResult
from finetrieve.registry.promotion_rule import PromotionDecision
from finetrieve.registry.trackers import write_to_tracker


@step(enable_cache=False)
def track_run(metrics: EvaluationResult, promotion_decision: PromotionDecision | None = None) -> None:
    """Writes the training's curves, the metrics and what was trained on what into the tracker's run.

    Never cached: each run of a pipeline is one of the tracker's.
    """
    version = promotion_decision.version if promotion_decision else ""
    write_to_tracker(Client().active_stack.experiment_tracker, metrics, version or "")
