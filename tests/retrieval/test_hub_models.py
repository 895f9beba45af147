"""Base models from a Hub on loopback, by its real client: pinned to a commit, kept for offline use, and what is missing said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from finetrieve.core.errors import InputError
from finetrieve.retrieval.base_model import hub_reference, resolve_base_model
from tests.conftest import ROOT
from tests.fakes.hub import FakeHub, Repository, running_hub
from tests.training.conftest import tiny_model  # noqa: F401  # a fixture

LOOK = """
import json, sys
from finetrieve.core.errors import InputError
from finetrieve.retrieval.base_model import fetch_model, load_tokenizer, model_fingerprint, model_revision
from finetrieve.training.base_card import base_model_card
try:
    ref = sys.argv[1]
    n_tokens = len(load_tokenizer(ref).encode("a pump").ids)
    card = base_model_card(ref)
    config = json.loads((fetch_model(ref) / "config.json").read_text())
    print(json.dumps([card.name, card.revision, card.licence, model_fingerprint(ref), config.get("made"), n_tokens]))
except InputError as error:
    sys.exit(str(error))
"""


@pytest.fixture(scope="module")
def hub(tiny_model: Path) -> Iterator[FakeHub]:  # noqa: F811
    with running_hub() as found:
        files = {str(path.relative_to(tiny_model)): path.read_bytes() for path in tiny_model.rglob("*") if path.is_file()}
        repository = found.repositories["models", "org/tiny"] = Repository(private=False)
        for made, licence in (("first", b"mit"), ("second", b"apache-2.0")):
            config = json.dumps({**json.loads(files["config.json"]), "made": made}).encode()
            card = b"---\nlicense: " + licence + b"\n---\n"
            repository.commit({**files, "config.json": config, "README.md": card}, made.encode())
        yield found


def look(hub: FakeHub, home: Path, ref: str, **more: str) -> subprocess.CompletedProcess[str]:
    own = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    env = {**os.environ, "PYTHONPATH": str(ROOT), **own, **more}
    return subprocess.run([sys.executable, "-c", LOOK, ref], env=env, capture_output=True, text=True, timeout=600, check=False)


def test_a_pinned_model_stays_at_its_commit_and_is_read_offline(hub: FakeHub, tmp_path: Path) -> None:
    first, second = hub.repositories["models", "org/tiny"].commits
    found = {}
    for ref in (f"org/tiny@{first}", "org/tiny", f"org/tiny@{second}"):
        done = look(hub, tmp_path, ref)
        assert done.returncode == 0, done.stderr
        found[ref] = json.loads(done.stdout)
    pinned, newest, same = found.values()
    assert pinned[:3] == ["org/tiny", f"commit {first[:12]}", "mit"] and pinned[4] == "first"
    assert newest[:3] == ["org/tiny", f"commit {second[:12]}", "apache-2.0"] and newest[4] == "second"
    assert pinned[3] != newest[3] and same == newest  # one content, one fingerprint, however it is named
    offline = look(hub, tmp_path, f"org/tiny@{first}", HF_HUB_OFFLINE="1")
    assert offline.returncode == 0 and json.loads(offline.stdout) == pinned, offline.stderr


def test_what_is_missing_is_said_with_the_command_that_fetches_it(hub: FakeHub, tmp_path: Path) -> None:
    offline = look(hub, tmp_path, "org/tiny@v1.5", HF_HUB_OFFLINE="1")
    assert offline.stderr.splitlines() == [
        "Model 'org/tiny@v1.5' is no directory here and is not in the Hub's cache on this machine (offline mode is on: "
        "HF_HUB_OFFLINE). Where there is a network, `hf download org/tiny --revision v1.5 --local-dir FOLDER` fetches it: "
        "bring FOLDER here and name it in place of the id."
    ]
    unknown = look(hub, tmp_path, "org/tiny@nowhere")
    assert unknown.stderr.startswith("Model 'org/tiny@nowhere' is no directory here and could not be fetched")


def test_a_reference_has_a_revision_behind_an_at_sign() -> None:
    assert hub_reference("org/name@refs/pr/1") == ("org/name", "refs/pr/1") and hub_reference("org/name") == ("org/name", None)
    assert resolve_base_model("org/name@v1.5") == "org/name@v1.5"
    for wrong in ("org/name@", "org/name@a b", "@v1"):
        with pytest.raises(InputError, match="No model directory"):
            resolve_base_model(wrong)
