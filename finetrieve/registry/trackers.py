"""What an experiment tracker gets of a run, and how it is written with each tracker's own client.

ZenML opens and closes the tracker's run around the step that calls this; what is written in between lands there.
"""

from __future__ import annotations

import importlib
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from finetrieve.core.logging import get_logger
from finetrieve.core.secrets import mask_secrets
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.registry.facts import facts_of

logger = get_logger(__name__)

_UNSAFE = re.compile(r"[^\w\-./ ]")
"""What MLflow refuses in a name; the others take less without trouble."""
_LONGEST_PARAM = 500
"""Characters; MLflow's own limit was that for long."""
_TRAINING = ("loss_name", "n_pairs", "n_negatives", "steps", "batch_size", "precision", "device", "seconds")


@dataclass(frozen=True)
class TrackedRun:
    """What a tracker gets."""

    params: Mapping[str, str]
    """What was trained on what, and the verdict; secrets are masked."""
    curves: Mapping[int, Mapping[str, float]]
    """Training step -> `train/loss`, `dev/ndcg_at_10`; steps ascend."""
    metrics: Mapping[str, float]
    """`SET/ARM/METRIC`, the mean over the questions."""


def tracked_run(metrics: EvaluationResult, version: str = "") -> TrackedRun:
    """Returns what a tracker gets of a run."""
    training = metrics.training
    facts: dict[str, Any] = {
        **facts_of(metrics),
        **{name: getattr(training, name) for name in _TRAINING},
        "model_version": version,
    }
    params = {name: mask_secrets(str(value))[:_LONGEST_PARAM] for name, value in facts.items() if value not in (None, "")}
    points = [(point.step, "train/loss", point.loss) for point in training.loss]
    points += [(point.step, "dev/ndcg_at_10", point.ndcg) for point in training.dev]
    curves: dict[int, dict[str, float]] = {}
    for step, name, value in sorted(points):
        if math.isfinite(value):
            curves.setdefault(step, {})[name] = value
    scores = {
        tracked_name(f"{name}/{arm}/{metric}"): score.value
        for name, found in metrics.eval_sets.items()
        for arm, table in found.arms.items()
        for metric, score in table.items()
    }
    return TrackedRun(params, curves, scores)


def tracked_name(name: str) -> str:
    """Returns a name that every tracker takes: `ndcg@10` is `ndcg_at_10`, and what else they refuse is `_`."""
    return _UNSAFE.sub("_", name.replace("@", "_at_"))


class TrackerWriter(ABC):
    """Writes into the run that ZenML has opened."""

    flavor: ClassVar[str]
    """ZenML's name of the kind of tracker."""

    def __init__(self, tracker: Any) -> None:
        self.tracker = tracker

    @abstractmethod
    def write(self, run: TrackedRun) -> None:
        """Writes everything."""


class MlflowWriter(TrackerWriter):
    """MLflow, by its fluent functions."""

    flavor = "mlflow"

    def write(self, run: TrackedRun) -> None:
        """Writes parameters, curves by step, and metrics."""
        mlflow = importlib.import_module("mlflow")
        mlflow.log_params(run.params)
        for step, values in run.curves.items():
            mlflow.log_metrics(values, step=step)
        mlflow.log_metrics(run.metrics)


class WandbWriter(TrackerWriter):
    """Weights & Biases: the configuration, the curves, and the summary."""

    flavor = "wandb"

    def write(self, run: TrackedRun) -> None:
        """Writes parameters, curves by step, and metrics."""
        wandb = importlib.import_module("wandb")
        wandb.config.update(run.params)
        for step, values in run.curves.items():
            wandb.log(values, step=step)
        wandb.run.summary.update(run.metrics)


class CometWriter(TrackerWriter):
    """Comet, through ZenML's component."""

    flavor = "comet"

    def write(self, run: TrackedRun) -> None:
        """Writes parameters, curves by step, and metrics."""
        self.tracker.log_params(run.params)
        for step, values in run.curves.items():
            self.tracker.log_metrics(values, step=step)
        self.tracker.log_metrics(run.metrics)


WRITERS: dict[str, type[TrackerWriter]] = {writer.flavor: writer for writer in (MlflowWriter, WandbWriter, CometWriter)}


def write_to_tracker(tracker: Any, metrics: EvaluationResult, version: str = "") -> bool:
    """Writes a run into the tracker, and returns whether there is a way to.

    Args:
        tracker: The active stack's experiment tracker, whose run is open.
        metrics: Of the run.
        version: The model's, where one was registered.
    """
    writer = WRITERS.get(tracker.flavor)
    if writer is None:
        known = ", ".join(sorted(WRITERS))
        logger.warning(f"The experiment tracker is of the kind '{tracker.flavor}', which gets nothing. Known: {known}.")
        return False
    writer(tracker).write(tracked_run(metrics, version))
    return True
