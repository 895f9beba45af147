"""A pipeline that has metrics and an experiment tracker, and nothing else: `python tests/fakes/tracked_run.py TRACKING_URI`.

The stack is registered as a person does it, by a stack's file; prints what MLflow holds afterwards as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import zenml
from zenml import pipeline
from zenml.client import Client

from finetrieve.app.remote.stacks import register, run_options
from finetrieve.app.zenml_environment import quiet_zenml
from finetrieve.evaluation.result import EvaluationResult
from pipelines.shared import wire_tracking
from steps.materializers import JsonMaterializer
from tests.evaluation.many_arms import many_arms


@pipeline(name="tracked", enable_cache=False)
def tracked(metrics: str) -> None:
    wire_tracking(Client().get_artifact_version(metrics))


def measured() -> EvaluationResult:
    made = many_arms()
    made["training"] |= {
        "base_model": "sk-planted-1234567890abcdef",
        "loss": [{"step": 10, "loss": 2.5}, {"step": 20, "loss": 1.25}],
        "dev": [{"step": 20, "ndcg@10": 0.75}],
    }
    return EvaluationResult.model_validate(made)


if __name__ == "__main__":
    quiet_zenml()
    stack = Path(sys.argv[1]).with_suffix(".yaml")
    stack.write_text(
        "name: tracked\n"
        "orchestrator: {flavor: local}\n"
        "artifact_store: {flavor: local}\n"
        f"experiment_tracker: {{flavor: mlflow, configuration: {{tracking_uri: 'sqlite:///{sys.argv[1]}'}}}}\n"
    )
    register(stack)
    artifact = zenml.save_artifact(measured(), "metrics", materializer=JsonMaterializer)
    tracked.with_options(**run_options())(metrics=str(artifact.id))

    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{sys.argv[1]}")
    [experiment] = [found for found in client.search_experiments() if found.name == "tracked"]
    [run] = client.search_runs([experiment.experiment_id])
    loss = [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "train/loss")]
    print(json.dumps({"params": run.data.params, "metrics": run.data.metrics, "loss": loss, "status": run.info.status}))
