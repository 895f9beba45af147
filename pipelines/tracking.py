"""Tracking: the last step of a run, where the active stack has an experiment tracker."""

from __future__ import annotations

from typing import Any

from finetrieve.app.remote.stacks import experiment_tracker
from steps.tracking import track_run


def wire_tracking(metrics: Any, decision: Any = None) -> None:
    """Adds the step that hands the metrics to the stack's experiment tracker; nothing where it has none."""
    if tracker := experiment_tracker():
        track_run.with_options(experiment_tracker=tracker)(metrics=metrics, promotion_decision=decision)
