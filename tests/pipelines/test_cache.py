"""Which steps a change makes run, and which come from the cache: checked exactly, over the whole `retrain`."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.conftest import ROOT
from tests.pipelines.test_retrain import ALWAYS, STEPS, write_docs
from tests.small_base import write_small_base
from tests.warm_python import WarmPython

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("scored_base")]

DRIVER = """
import json, sys
from pathlib import Path
from finetrieve.app.config import load_config
from finetrieve.app.run_metadata import RunMetadata
from finetrieve.app.preflight import check
from finetrieve.app.run import run_pipeline
for line in sys.stdin:
    config = load_config(Path(line.strip()))
    run_pipeline("retrain", config, check("retrain", config, None), RunMetadata(), None, use_cache=True)
    from zenml.client import Client
    [run] = Client().list_pipeline_runs(sort_by="desc:created", size=1, hydrate=True).items
    step = run.steps["evaluate_model"]
    scored = Client().get_run_step(step.original_step_run_id or step.id).inputs["model"][0].content_hash
    trained = run.steps["train_model"].outputs["model"][0].content_hash
    ran = sorted(name for name, step in run.steps.items() if step.status != "cached")
    print("RAN", json.dumps([ran, scored == trained]), flush=True)
"""


class Retrainer:
    """A process that retrains whenever it is told to: importing everything once is most of a tiny run."""

    def __init__(self, python: WarmPython, environment: dict[str, str], place: Place) -> None:
        self._config, self._errors = place.config, place.config.with_name("errors.txt")
        self._line, its_end = socket.socketpair()
        with its_end, self._errors.open("w") as errors:
            self._process = python.start(["-c", DRIVER], environment, place.checkout, (its_end, its_end, errors))
        self._talk = self._line.makefile("rw")

    def retrain(self) -> set[str]:
        """Returns the steps that did not come from the cache; the scores must be those of the model that was trained."""
        self._talk.write(f"{self._config}\n")
        self._talk.flush()
        for line in self._talk:
            if line.startswith("RAN "):
                ran, scored_is_trained = json.loads(line[4:])
                assert scored_is_trained
                return set(ran)
        raise AssertionError(self._errors.read_text())

    def stop(self) -> None:
        """Ends the process."""
        if not self._talk.closed:
            self._line.shutdown(socket.SHUT_WR)
            self._process.wait(60)
            self._talk.close()
            self._line.close()


class Place(NamedTuple):
    """Where a test's documents, configuration, base model and code are."""

    docs: Path
    config: Path
    base: Path
    checkout: Path

    def set(self, section: str | None, **values: Any) -> None:
        """Changes settings in the configuration."""
        settings = yaml.safe_load(self.config.read_text())
        (settings if section is None else settings.setdefault(section, {})).update(values)
        self.config.write_text(yaml.safe_dump(settings))

    def append(self, path: str, text: str) -> None:
        """Writes at the end of a file of the checkout."""
        file = self.checkout / path
        file.write_text(file.read_text() + text)


def make_place(folder: Path) -> Place:
    base, checkout = write_small_base(folder / "base"), folder / "checkout"
    checkout.mkdir()
    for name in ("finetrieve", "pipelines", "steps", "configs"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    config = folder / "config.yaml"
    settings = {
        "source": {"name": "folder", "path": str(write_docs(folder / "docs"))},
        "filters": [{"name": "duplicates"}, {"name": "round_trip", "top_k": 10}],
        "split": {"dev": 0.2, "test": 0.2},
        "training": {
            "base_model": str(base),
            "max_steps": 1,
            "warmup": 0.0,
            "batch_size": 16,
            "lay_questions": 4,
            "max_tokens": 64,
            "evaluations": 1,
            "average": [0.3],
        },
        # No bill: its milliseconds are measured anew, so an evaluation that runs again never equals the one before.
        "evaluation": {"bootstrap_samples": 200, "bill": False, "arms": ["base", "finetuned"]},
    }
    config.write_text(yaml.safe_dump(settings))
    return Place(folder / "docs", config, base, checkout)


def damp(model: Path) -> None:
    """Makes another model of one, in place."""
    from safetensors.torch import load_file, save_file

    weights = load_file(model / "model.safetensors")
    name = "encoder.layer.0.output.dense.weight"
    save_file({**weights, name: weights[name] * 0.98}, model / "model.safetensors", metadata={"format": "pt"})


def lose_pairs(place: Place) -> None:
    """Deletes what `split_queries` made from the artifact store, and makes the training need it."""
    stored = list((place.docs.parent / "home" / "zenml-stores").glob("*/split_queries/pairs"))
    assert stored
    for folder in stored:
        shutil.rmtree(folder)
    place.set("training", learning_rate=0.0004)


TRAINED = {"train_model", "evaluate_model", "build_report", "compare_with_production"}
FROM_QUERIES = {"curate_queries", "split_queries"} | TRAINED

# What makes a change, and the steps that then run beside those that always do.
CHANGES: list[tuple[str, Callable[[Place], object], set[str]]] = [
    ("nothing", lambda place: None, set()),
    ("a document touched", lambda place: (place.docs / "pump.md").touch(), set()),
    ("a document edited", lambda place: edit(place.docs / "pump.md"), STEPS),
    (
        "a document added",
        lambda place: (place.docs / "hose.md").write_text("# The hose\n\nTo use the hose, open the tap.\n"),
        STEPS,
    ),
    ("a document removed", lambda place: (place.docs / "lamp.md").unlink(), STEPS),
    ("a document renamed", lambda place: (place.docs / "fan.md").rename(place.docs / "blower.md"), STEPS),
    ("a change taken back", lambda place: (place.docs / "blower.md").rename(place.docs / "fan.md"), set()),
    ("a file that nothing reads", lambda place: (place.docs / "logo.png").write_bytes(b"\x89PNG"), set()),
    # The same chunks come out; but what cuts them also cuts an evaluation set's own corpus.
    (
        "a setting of the chunks",
        lambda place: place.set("chunks", near_duplicate_threshold=0.95),
        {"load_chunks", "evaluate_model", "compare_with_production", "build_report"},
    ),
    (
        "a setting of the generation",
        lambda place: place.set("generation", recipes=[{"name": "rules", "queries_per_chunk": 1}]),
        {"generate_queries"} | FROM_QUERIES,
    ),
    # The filter lets the same queries pass, so what follows it has nothing to do; the report quotes the settings.
    (
        "a setting of a filter",
        lambda place: place.set(None, filters=[{"name": "duplicates"}, {"name": "round_trip", "top_k": 11}]),
        {"curate_queries", "build_report"},
    ),
    ("a setting of the split", lambda place: place.set("split", test=0.4), {"split_queries"} | TRAINED),
    ("a setting of the training", lambda place: place.set("training", learning_rate=0.0003), TRAINED),
    # As after an interruption in the moment in which ZenML has just marked the step as completed.
    ("a setting of the training, the pairs gone", lambda place: lose_pairs(place), {"split_queries"} | TRAINED),
    (
        "a setting of the evaluation",
        lambda place: place.set("evaluation", bootstrap_samples=300),
        {"evaluate_model", "compare_with_production", "build_report"},
    ),
    ("a new seed", lambda place: place.set(None, seed=14), {"generate_queries"} | FROM_QUERIES),
    ("the base model replaced", lambda place: damp(place.base), {"load_chunks", "curate_queries"} | TRAINED),
    ("the model's name", lambda place: place.set(None, name="machine"), {"build_report"}),
]

# An edit that changes no result: the step runs, and everything after it finds its inputs as they were.
EDITS: list[tuple[str, Callable[[Place], object], set[str]]] = [
    ("a helper of the training", lambda place: place.append("finetrieve/training/batches.py", "\n# edited\n"), {"train_model"}),
    (
        "a helper of two steps",
        lambda place: place.append("finetrieve/evaluation/scoring.py", "\n# edited\n"),
        {"evaluate_model", "compare_with_production"},
    ),
    ("a template", lambda place: place.append("finetrieve/reporting/report.html.j2", "<!-- edited -->\n"), {"build_report"}),
    ("the command line", lambda place: place.append("finetrieve/app/run.py", "\n# edited\n"), set()),
]


def edit(document: Path) -> None:
    """Adds a sentence that says something new."""
    document.write_text(document.read_text() + "\nThe pump needs oil every week, or it will stop.\n")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


@pytest.fixture
def started(
    warm_python: WarmPython, new_zenml_store: Path, own_home: dict[str, str], place: Place
) -> Iterator[Callable[[], Retrainer]]:
    """Starts processes that retrain with the checkout's code."""
    shutil.copytree(new_zenml_store, own_home["ZENML_LOCAL_STORES_PATH"])
    running: list[Retrainer] = []

    def start() -> Retrainer:
        running.append(Retrainer(warm_python, own_home, place))
        return running[-1]

    yield start
    for retrainer in running:
        retrainer.stop()


@pytest.mark.slow(minutes=4)
def test_a_change_runs_the_steps_that_it_reaches_and_no_others(started: Callable[[], Retrainer], place: Place) -> None:
    retrainer = started()
    assert retrainer.retrain() == STEPS
    retrainer.retrain()  # where the first model was promoted, the next run compares it with itself, once
    wrong = {}
    for change, make, expected in CHANGES + EDITS:
        make(place)
        if (change, make, expected) in EDITS:  # a process has the code with which it started
            retrainer.stop()
            retrainer = started()
        ran = retrainer.retrain()
        if ran != expected | ALWAYS:
            wrong[change] = {"missing": sorted((expected | ALWAYS) - ran), "needless": sorted(ran - expected - ALWAYS)}
    assert wrong == {}
