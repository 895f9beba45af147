"""`python run.py models` and `ask` in a store with two models, as a person types them."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import ROOT, home_environment
from tests.fakes.two_corpora import advised
from tests.warm_python import WarmPython

pytestmark = pytest.mark.slow

TWO_MODELS = """
import zenml
from zenml.client import Client

from finetrieve.registry.versions import attach, register, set_stage

refused = {"stage": "staging", "why": "Not clearly better than the base model: zero is inside.", "against": "the base model"}
for model, decisions in {"alpha": [refused], "beta": [{**refused, "stage": "production", "why": "Better."}, refused]}.items():
    for number, decision in enumerate(decisions):
        artifact = zenml.save_artifact({"number": number}, f"{model}_{number}")
        version = register(model, f"{model}{number}".ljust(16, "0"))
        facts = {"decision": decision, "base_model": "embedded", "corpus": model, "ndcg_at_10": 0.5, "documents": 12}
        attach(version, {**facts, "model_artifact": str(artifact.id), "served_since": "2026-01-01" if number == 0 else ""})
        set_stage(version, decision["stage"])
"""
PRODUCTION = "from finetrieve import {0}; print('found', {0}({1}))"


class Store(NamedTuple):
    """A home with two models: `alpha`, whose one version waits, and `beta`, whose first is in production."""

    environment: dict[str, str]
    warm: WarmPython

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        return self.warm.run(["-c", code], self.environment, ROOT)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.warm.run([ROOT / "run.py", *arguments], self.environment, ROOT)

    def stages(self) -> dict[str, str]:
        return {line["version"]: line["stage"] for line in json.loads(self.command("models", "--json").stdout)}


@pytest.fixture(scope="module")
def store(warm_python: WarmPython, new_zenml_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    found = Store(home_environment(tmp_path_factory.mktemp("two-models")), warm_python)
    shutil.copytree(new_zenml_store, found.environment["ZENML_LOCAL_STORES_PATH"])
    made = found.python(f"from finetrieve.app.zenml_environment import quiet_zenml\nquiet_zenml()\n{TWO_MODELS}")
    assert made.returncode == 0, made.stderr
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "how do I start?"),
        ("models", "compare", "1", "1"),
        ("models", "promote", "1", "--yes"),
        ("models", "demote", "1"),
        ("models", "rollback"),
        ("models", "export", "--to", "exported models"),
    ],
    ids=" ".join,
)
def test_where_two_models_are_meant_the_command_that_names_one_is_printed_and_understood(
    store: Store, arguments: tuple[str, ...]
) -> None:
    unnamed = store.command(*arguments)
    assert unnamed.returncode == 2 and unnamed.stdout == ""
    [line] = unnamed.stderr.splitlines()
    assert "There is more than one model: alpha, beta." in line
    again = advised(line)
    assert again == [*arguments, "--model", "alpha"]
    if "promote" in arguments:  # the next test's
        return
    named = store.command(*again)
    assert "more than one model" not in named.stderr and "No such option" not in named.stderr and "Usage" not in named.stderr


def test_the_first_promotion_is_asked_about_undone_and_not_repeated(store: Store) -> None:
    # 1. What the rule did not promote is asked about; a script says --yes, and the advice is the command.
    refused = store.command("models", "promote", "1", "--model", "alpha")
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 1)
    assert "The rule did not promote alpha:1: Not clearly better" in refused.stderr
    promoted = store.command(*advised(refused.stderr))
    assert promoted.returncode == 0 and "alpha:1 is in production now" in promoted.stdout, promoted.stderr

    # 2. There is none to go back to; the advice takes it out.
    first = store.command("models", "rollback", "--model", "alpha")
    assert first.returncode == 2 and advised(first.stderr) == ["models", "demote", "alpha:1"]
    demoted = store.command(*advised(first.stderr), "--why", "answers were worse")
    assert demoted.returncode == 0 and "its base model (embedded) answers" in demoted.stdout, demoted.stderr
    assert store.stages()["alpha:1"] == "archived"
    unnamed = store.command("models", "export", "--model", "alpha", "--to", "there-is-none")
    assert unnamed.returncode == 2 and "No version of 'alpha' is in production. Name one of: 1" in unnamed.stderr
    listed = " ".join(store.command("models", "list", "--model", "alpha").stdout.split())
    assert "Demoted by hand" in listed and "answers were worse" in listed and "beta" not in listed
    nothing = store.command("models", "rollback", "--model", "alpha")
    assert nothing.returncode == 2 and advised(nothing.stderr) == ["models", "promote", "alpha:1"]
    twice = store.command("models", "demote", "alpha:1")
    assert twice.returncode == 2 and "is not in production but archived" in twice.stderr

    # 3. The base model answers, and says so; the next run finds nothing in production to compare with.
    directory = store.python(PRODUCTION.format("production_directory", "'alpha'"))
    assert "a person took alpha:1 out, so this is its base model, embedded" in directory.stdout, directory.stderr
    found = Path(directory.stdout.splitlines()[-1].removeprefix("found "))
    assert (found / "config.json").is_file()
    asked = store.python("from finetrieve.app.search import find_served; print(find_served(None, 'alpha'))")
    assert "A person took alpha:1 out of production, so the base model answers for 'alpha' now." in asked.stdout, asked.stderr
    production = store.python("from finetrieve.registry.versions import version_in; print(version_in('production', 'alpha'))")
    assert production.stdout.splitlines()[-1] == "None"


def test_what_the_rule_promoted_once_is_brought_back_without_a_question(store: Store) -> None:
    promoted = store.command("models", "promote", "beta:2", "--yes")
    assert promoted.returncode == 0 and "beta:1 is archived" in promoted.stdout
    assert "beta:1 is in production again" in store.command("models", "--model", "beta", "rollback").stdout  # the old place
    assert store.command("models", "promote", "2", "--model", "beta", "--yes").returncode == 0
    assert store.command("models", "promote", "beta:1").returncode == 0
    assert store.stages()["beta:2"] == "archived"
    newest, older = " ".join(store.command("models", "list", "--model", "beta").stdout.split()).split(" 1 20")
    assert "Archived when another version took its place." in newest and "took its place" not in older


def test_a_question_in_a_terminal_can_be_declined(store: Store) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "wb", buffering=0) as terminal:
        asked = store.warm.start([ROOT / "run.py", "models", "promote", "beta:2"], store.environment, ROOT, (terminal,) * 3)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(ours, 4096)
    os.write(ours, b"n\n")
    assert asked.wait(120) == 1
    os.close(ours)
    assert shown.startswith(b"Looking into ZenML's store ...")
    assert b"Promote it all the same? [y/N]" in shown
    assert store.stages()["beta:2"] != "production"


def test_names_that_do_not_fit_are_said(store: Store) -> None:
    other = store.command("models", "promote", "beta:2", "--model", "alpha")
    assert other.returncode == 2 and "'beta:2' and --model alpha name two models" in other.stderr
    unnamed = store.python(PRODUCTION.format("production_model", ""))
    assert "There is more than one model: alpha, beta. Name one of them." in unnamed.stderr


def test_models_are_told_as_json_and_nothing_else(store: Store) -> None:
    verbose = [
        sys.executable,
        "run.py",
        "-v",
        "models",
        "list",
        "--model",
        "beta",
        "--json",
    ]  # cold, as ZenML's words are asked for
    told = subprocess.run(verbose, cwd=ROOT, env=store.environment, capture_output=True, text=True, timeout=300, check=False)
    listed = json.loads(told.stdout)
    assert [line["number"] for line in listed] == [2, 1]
    assert {"stage", "why", "trained", "corpus", "ndcg_at_10"} <= set(listed[0]) and "model_artifact" not in listed[0]
    compared = json.loads(store.command("models", "compare", "beta:1", "beta:2", "--json").stdout)
    assert [found["version"] for found in compared["versions"]] == ["beta:1", "beta:2"]
    assert compared["comparable"] is True and compared["difference"] is None and "stage" in compared["differs"]
    assert json.loads(store.command("schedules", "--json").stdout) == []
    stacks = json.loads(store.command("stack", "list", "--json").stdout)
    assert stacks["stacks"][0]["active"] is True and "kubernetes" in stacks["files"]


def test_where_no_model_is_found_the_store_that_was_looked_into_is_named(store: Store, tmp_path: Path) -> None:
    places = {"ZENML_CONFIG_PATH": str(tmp_path / "zenml"), "ZENML_LOCAL_STORES_PATH": str(tmp_path / "elsewhere")}
    empty = store._replace(environment={**store.environment, **places})
    listed, asked = empty.command("models"), empty.command("ask", "how do I start")
    assert (listed.returncode, asked.returncode) == (0, 2)
    for told in (listed.stdout, asked.stderr):
        assert f"No model was trained yet in ZenML's store sqlite:///{tmp_path}/elsewhere/" in told
