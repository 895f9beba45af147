"""The main job with people in the loop, whole: what they answer is trained on, and nothing runs again for nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from finetrieve.annotation.client import Server, find_dataset, find_workspace, read_records
from finetrieve.annotation.connection import connect_embedded
from finetrieve.argilla_server import stop_server
from finetrieve.argilla_server.environment import environment_path
from tests.conftest import RunCommand
from tests.pipelines.test_retrain import ran, write_config, write_docs

pytestmark = pytest.mark.slow

COSTLY = {"generate_queries", "enrich_queries", "split_queries", "train_model", "evaluate_model", "build_report"}


@pytest.fixture
def own_server_home(server_environment: Path, tmp_path: Path) -> Iterator[Path]:
    """Returns the home of a server that does not run yet; it is stopped."""
    yield tmp_path / "argilla"
    stop_server(tmp_path / "argilla")


@pytest.mark.slow(minutes=2)
@pytest.mark.usefixtures("scored_base")
def test_answers_are_trained_on_and_nothing_runs_again_for_nothing(
    warm_command: RunCommand, own_server_home: Path, tmp_path: Path
) -> None:
    docs, out, config = write_docs(tmp_path / "docs"), tmp_path / "out", write_config(tmp_path / "config.yaml", small=True)
    settings = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**settings, "annotation": {"dataset": "machine"}}))
    environment = {
        "FINETRIEVE_ARGILLA_HOME": str(own_server_home),
        "FINETRIEVE_ARGILLA_ENV": str(environment_path()),
        "ARGILLA_URL": "",
        "ARGILLA_API_URL": "",
    }

    def retrain() -> tuple[set[str], dict[str, Any]]:
        result = warm_command("--pipeline", "retrain", "--config", config, "--docs", docs, "--out", out, **environment)
        assert result.returncode == 0, result.stdout + result.stderr
        return ran(result.stdout) & COSTLY, json.loads((out / "metrics.json").read_text())

    # 1. A first run starts the server by itself, sends the queries, and trains on them.
    _, metrics = retrain()
    assert metrics["annotation"]["reviewed"] == 0
    written = metrics["annotation"]["records"]
    assert written > 20

    # 2. A draft is no answer: nothing is trained or reported anew.
    with Server(connect_embedded(own_server_home)) as server:
        dataset = find_dataset(server, find_workspace(server), "machine")
        assert dataset is not None
        found = list(read_records(server, dataset["id"], ["suggestions"], lambda _done, _total: None))
        by_split = [record for record in found if record["metadata"]["split"] == "train"]

        def answer(record: dict[str, Any], status: str, **values: str) -> None:
            body = {"status": status, "values": {name: {"value": value} for name, value in values.items()} or None}
            server.request("POST", f"/records/{record['id']}/responses", body)

        answer(by_split[0], "draft", query="half a")
    assert retrain()[0] == set()

    # 3. An answer is: from the split on.
    with Server(connect_embedded(own_server_home)) as server:
        answer(by_split[1], "submitted", query="it makes a noise", verdict="fixable", own_queries="strange sound\nrattling")
        answer(by_split[2], "discarded")
    steps, metrics = retrain()
    assert steps == {"split_queries", "train_model", "evaluate_model", "build_report"}
    review = metrics["annotation"]
    assert (review["reviewed"], review["outcomes"], review["human_queries"]) == (2, {"edited": 1, "rejected": 1}, 2)
    assert review["used"]["rows"] == {"generated": written - 2, "edited": 1, "human": 2}
    report = (out / "report.html").read_text()
    assert "it makes a noise" in report and "What people made of the queries" in report

    # 4. People's own queries are an evaluation set for whoever asks for it.
    result = warm_command(
        "--pipeline", "evaluate", "--config", config, "--docs", docs, "--eval-set", "argilla:machine", "--out", out, **environment
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads((out / "metrics.json").read_text())["eval_sets"]["argilla:machine"]["n_queries"] == 2
