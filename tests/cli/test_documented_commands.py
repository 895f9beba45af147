"""Every command and snippet of README and docs/, run in one store with the models of two corpora."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.docs.pages import blocks, commands
from tests.fakes.two_corpora import run_in_store
from tests.training.conftest import tiny_model  # noqa: F401  # a fixture
from tests.warm_python import WarmPython

pytestmark = pytest.mark.slow(minutes=1)

STAY = (
    ["dashboard"],
    ["argilla", "up"],
    ["argilla", "annotator", "ada"],
    ["ask", "--serve"],
    ["ask", "--serve", "--host", "0.0.0.0"],
)
"""Commands that start a server or need one: other tests run them; tests/docs parses them."""
HUB = "hf:OWNER/NAME"
"""What is sent to the Hub is, in a test of its own, sent to one on this machine."""
CHANGE = {"promote": 1, "rollback": 2, "demote": 3}
"""What changes the stages comes last, in this order: 3 is in production at first, then 4, then 3 again, then none."""
REFUSED = {
    "--schedule": "orchestrator is of the kind 'local'",
    "register": "put your own values where it says CHANGE-ME",
    "evaluate": "'evaluate' generates nothing",
    "dataset": "is no longer in ZenML's store",
}
"""What a machine without a cluster cannot do, a dry run has nothing to say of, or models without a run cannot give: the rest of
the command was taken."""
SNIPPETS = [block.code for block in blocks("python") if "load_index" in block.code or "production_model" in block.code]


def documented() -> list[list[str]]:
    """Returns the arguments of every `run.py` that the documentation shows, in the order in which they can be run."""
    found = [words[words.index("run.py") + 1 :] for words in commands() if "run.py" in words]
    return sorted(
        (words for words in found if words not in STAY and HUB not in words),
        # What reads the vectors of `index` comes after it.
        key=lambda words: CHANGE.get(" ".join(words[1:2]), 0.5 if "--index" in words else 0),
    )


def filled(arguments: list[str], home: Path) -> list[str]:
    """Returns the arguments with files for the placeholders; a pipeline is not run: its dry run finds the same mistakes."""
    places = {
        "path/to/docs": str(home / "docs"),
        "path/to/beir-folder": str(home / "beir"),
        "results/model": str(home / "model"),
        "path/to/other-model": str(home / "model"),
        **{name: str(home / name) for name in ("tickets.csv", "asked.txt", "log.csv", "tasks/rows.jsonl")},
        "path/to/questions": str(home / "questions.csv"),
        "FILE": str(home / "config.yaml"),
        "DIR": str(home / "-".join(["out", *arguments[3:]])),
        "VECTORS": str(home / "vectors"),
        "lancedb:LANCEDB": f"lancedb:{home / 'lancedb'}",
        "qdrant:QDRANT": f"qdrant:{home / 'qdrant'}",
        "VERSION": "my-docs:3",
        "128": "8",  # of the tiny model's 16
        "my-stack.yaml": "configs/stacks/kubernetes.yaml",
    }
    words = [places.get(word, word) for word in arguments if word != "argilla:DATASET"]
    words = [word for word in words if word != "--eval-set"] if "argilla:DATASET" in arguments else words
    if "--pipeline" not in words or "--schedule" in words:
        return words
    named = [] if "--docs" in words else ["--docs", places["path/to/docs"]]
    return [*words, *named, *([] if "--dry-run" in words else ["--dry-run"])]


Run = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:  # noqa: F811
    folder = tmp_path_factory.mktemp("two-corpora")
    (folder / "docs").mkdir()
    for name in ("pump", "door"):
        (folder / "docs" / f"{name}.md").write_text(
            f"# The {name}\n\nTo open the {name}, press the green button on its left side."
        )
    (folder / "questions.csv").write_text("question,page\nHow do I open the pump?,pump.md\n")
    (folder / "tickets.csv").write_text("query,positive\nhow do I open it?,pump.md\n")
    (folder / "tasks").mkdir()
    (folder / "tasks" / "rows.jsonl").write_text('{"query": "which button?", "passage": "Press the green button of the pump."}\n')
    (folder / "asked.txt").write_text("open the pump\n")
    (folder / "log.csv").write_text("query,count,clicked\nopen the door,7,door.md\n")
    (folder / "beir" / "qrels").mkdir(parents=True)
    (folder / "beir" / "corpus.jsonl").write_text(
        '{"_id": "d1", "title": "Pump", "text": "Press the green button of the pump."}\n'
    )
    (folder / "beir" / "queries.jsonl").write_text('{"_id": "q1", "text": "which button?"}\n')
    (folder / "beir" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    shutil.copytree(tiny_model, folder / "model")
    (folder / "config.yaml").write_text(f"source: {{name: folder, path: {folder / 'docs'}}}\n")
    return folder


@pytest.fixture(scope="module")
def run(warm_python: WarmPython, home: Path, tiny_model: Path) -> Run:  # noqa: F811
    """Runs jobs in a store of their own, in one process."""
    places = {"HOME": home, "XDG_CACHE_HOME": home / ".cache", "XDG_DATA_HOME": home / ".local" / "share"}
    zenml = {"ZENML_CONFIG_PATH": home / "zenml", "ZENML_LOCAL_STORES_PATH": home / "zenml-stores"}
    environment = {**os.environ, **{name: str(path) for name, path in {**places, **zenml}.items()}, "PYTHONPATH": str(ROOT)}
    environment["OPENAI_API_KEY"] = "sk-of-nobody"

    return lambda jobs: run_in_store(warm_python, environment, tiny_model, jobs, home)


def test_every_documented_command_and_snippet_works_where_two_corpora_have_models(run: Run, home: Path) -> None:
    asked = [filled(arguments, home) for arguments in documented()]
    snippets = [code.replace('"my-index"', f'"{home / "my-index"}"') for code in SNIPPETS if "results/model" not in code]
    served = {"code": "from finetrieve import load_index; print(load_index('my-docs').name)"}
    jobs = [*({"code": code} for code in snippets), served, *({"command": arguments} for arguments in asked), served]
    done = run(jobs)
    ran, before, results, after = done[: len(snippets)], done[len(snippets)], done[len(snippets) + 1 : -1], done[-1]

    # 1. Snippets: the index that was saved answers, and after `models demote` the base model does.
    assert len(ran) >= 3 and [found["error"] for found in ran if found["code"]] == []
    assert any("pump.md" in found["out"] for found in ran)
    assert before["out"].splitlines()[-1] == "my-docs:3" and after["out"].splitlines()[-1].startswith("base model (")

    # 2. Commands.
    wrong, answers = [], {}
    for arguments, last in zip(asked, results, strict=True):
        while "again" in last:  # the model was not named, or a question was to be answered: the advice has to work
            last = last["again"]
        refusal = next((text for word, text in REFUSED.items() if word in arguments), None)
        if refusal is not None:
            right = last["code"] == 2 and refusal in last["error"]
        else:
            right = last["code"] == 0 and "Traceback" not in last["error"]
        if "--json" in arguments and right:
            answers = json.loads(last["out"])
        if not right:
            wrong.append((arguments, last))
    assert wrong == []
    assert (answers["question"], answers["trained"]["name"]) == ("how do I ...", "my-docs:3 (production)")
    assert {hit["document"] for hit in answers["base"]["hits"]} == {"pump.md", "door.md", "lamp.md"}
