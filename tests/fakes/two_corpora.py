"""A ZenML store with the models of two corpora, registered without a training, and commands that are run there in one process.

`python -m tests.fakes.two_corpora TINY_MODEL JOBS RESULTS` makes the store that the environment names, runs the jobs of a JSON
file in turn, each `{"command": [...]}` or `{"code": "..."}`, and writes what became of them: `{"code", "out", "error"}` each.
Where a command is refused with the advice to type another one, that one is run as well, as a person would: `again` is what became of it.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.warm_python import WarmPython

ROOT = Path(__file__).resolve().parent.parent.parent

CORPORA = {
    "my-docs": {
        "pump.md": "To clean the pump, open the lid and rinse it with warm water.",
        "door.md": "The door locks itself when it rains. Turn the key twice to open it.",
        "lamp.md": "The lamp has three levels. Hold the switch to dim it.",
    },
    "other-docs": {"radio.md": "The radio keeps a station while its number is held until it beeps."},
}
VERSIONS = {"my-docs": ("archived", "archived", "production", "staging"), "other-docs": ("production",)}
"""Model -> the stages of its versions."""


def run_in_store(
    python: WarmPython, environment: dict[str, str], tiny_model: Path, jobs: list[dict[str, Any]], folder: Path
) -> list[dict[str, Any]]:
    """Returns what became of jobs that this module runs in a process of its own; their files are left in a folder."""
    (folder / "jobs.json").write_text(json.dumps(jobs))
    code = "import runpy; runpy.run_module('tests.fakes.two_corpora', run_name='__main__', alter_sys=True)"
    done = python.run(["-c", code, tiny_model, folder / "jobs.json", folder / "results.json"], environment, ROOT, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    results: list[dict[str, Any]] = json.loads((folder / "results.json").read_text())
    return results


def make_store(tiny_model: Path) -> None:
    """Registers the models: each is the tiny one, with the chunks of its corpus and metrics that name its way of searching."""
    import zenml

    from finetrieve.core.model_directory import ModelDirectory
    from finetrieve.core.rows import Chunk
    from finetrieve.core.tables import to_table
    from finetrieve.evaluation.result import EvaluationResult
    from finetrieve.registry.facts import facts_of
    from finetrieve.registry.versions import attach, model_names, register, set_stage
    from steps.materializers import JsonMaterializer, ModelMaterializer, TableMaterializer
    from tests.evaluation.many_arms import many_arms

    if set(CORPORA) <= set(model_names()):
        return
    made = many_arms()
    for found in made["eval_sets"].values():
        del found["bill"]  # it recommends more dimensions than the tiny model has
    made["training"] |= {"n_pairs": 12, "n_chunks": 4, "steps": 2, "batch_size": 8, "loss_name": "joint"}
    metrics = EvaluationResult.model_validate(made)
    for model, pages in CORPORA.items():
        chunks = [Chunk(f"{doc}-1", doc, doc, doc[:-3].title(), "", text, 12, 0) for doc, text in pages.items()]
        stored = {
            "model": (ModelDirectory(tiny_model), ModelMaterializer),
            "chunks": (to_table(chunks, Chunk), TableMaterializer),
            "metrics": (metrics, JsonMaterializer),
        }
        kept = {
            f"{name}_artifact": str(zenml.save_artifact(value, f"{model}_{name}", materializer=materializer).id)
            for name, (value, materializer) in stored.items()
        }
        for number, stage in enumerate(VERSIONS[model], 1):
            version = register(model, f"{model}-{number}".ljust(16, "0"))
            decision = {"stage": stage, "why": "Better.", "against": "the base model"}
            served = {"served_since": f"2026-01-0{number}"} if stage in ("production", "archived") else {}
            facts = {**facts_of(metrics), "base_model": str(tiny_model), "corpus": model}
            attach(version, {"decision": decision, **kept, **served, **facts})
            set_stage(version, stage)


def run_command(arguments: list[str]) -> dict[str, Any]:
    """Returns what a command printed and its exit code; it finds what it would find in `sys.argv`."""
    from click.testing import CliRunner

    from finetrieve.cli.main import main

    sys.argv = ["run.py", *arguments]
    done = CliRunner().invoke(main, arguments)
    found = {"code": done.exit_code, "out": done.stdout, "error": done.stderr}
    again = advised(done.stderr) if done.exit_code == 2 else []
    return {**found, "again": run_command(again)} if again[: len(arguments)] == arguments and again != arguments else found


def advised(text: str) -> list[str]:
    """Returns the arguments of the command that a message says to run; empty where it says none."""
    found = re.search(r"`python run\.py ([^`]+)`|: python run\.py (.+)$", text.strip())
    return shlex.split(found.group(1) or found.group(2)) if found else []


def run_code(code: str) -> dict[str, Any]:
    """Returns what a snippet printed, and its traceback where it failed."""
    printed, failed = io.StringIO(), ""
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(code, "snippet", "exec"), {"__name__": "__main__"})
        except Exception:
            failed = traceback.format_exc()
    return {"code": 1 if failed else 0, "out": printed.getvalue(), "error": failed}


if __name__ == "__main__":
    from finetrieve.app.zenml_environment import quiet_zenml

    quiet_zenml()
    tiny, jobs, results = map(Path, sys.argv[1:])
    make_store(tiny)
    done = []
    for job in json.loads(jobs.read_text(encoding="utf-8")):
        started = time.process_time()
        done.append(run_command(job["command"]) if "command" in job else run_code(job["code"]))
        print(f"{time.process_time() - started:5.1f} s of processor time, exit {done[-1]['code']}: {job}", file=sys.stderr)
    results.write_text(json.dumps(done), encoding="utf-8")
