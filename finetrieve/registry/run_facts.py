"""What is known of a ZenML run beside its results: when it started, by which command, of which commit, and where it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zenml.client import Client
from zenml.enums import StoreType
from zenml.utils.dashboard_utils import get_run_url

from finetrieve.registry.facts import verdict_words

if TYPE_CHECKING:
    from zenml import Tag
    from zenml.models import PipelineRunResponse

    from finetrieve.evaluation.result import EvaluationResult


def facts_of_run(run: PipelineRunResponse) -> dict[str, str]:
    """Returns `run`, `started`, `command`, `commit` and `zenml`, its page on the server or how to open it; what is known."""
    recorded = (run.config.parameters or {}).get("run_metadata") or {}
    facts = {
        "run": run.name,
        "started": f"{run.created:%Y-%m-%d %H:%M} UTC",
        "command": str(recorded.get("command") or ""),
        "commit": str(recorded.get("commit") or ""),
        "zenml": _page(run),
    }
    return {name: value for name, value in facts.items() if value}


def outcome_tags(model: str, metrics: EvaluationResult, stage: str = "") -> list[str | Tag]:
    """Returns the tags by which runs are found in a list: whose documents, with which verdict, and what became of the model."""
    tags = {"docs": model, "verdict": verdict_words(metrics), "stage": stage}
    return [f"{name}-{value.replace(' ', '-')}" for name, value in tags.items() if value]


def _page(run: PipelineRunResponse) -> str:
    # A dashboard on this machine has another address the next time.
    url = get_run_url(run) if Client().zen_store.type == StoreType.REST else None
    return url or f"python run.py dashboard --run {run.name}"
