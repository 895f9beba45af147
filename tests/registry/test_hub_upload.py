"""Sending to the Hub, by its real client, to a Hub on loopback: private, whole or not at all, and going on after a kill."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from finetrieve.core.errors import InputError
from finetrieve.registry.hub_upload import files_of, hub_id, what_is_sent
from tests.conftest import ROOT
from tests.fakes.hub import TOKEN, FakeHub, running_hub

SEND = """
import sys
from pathlib import Path
from finetrieve.core.errors import InputError
from finetrieve.registry.hub_upload import send_folder
try:
    print(send_folder(Path(sys.argv[1]), "org/pumps", "dataset", sys.argv[2] == "private", "Dataset").commit)
except InputError as error:
    sys.exit(str(error))
"""
PULL = """
import sys
from huggingface_hub import snapshot_download
print(snapshot_download("org/pumps", repo_type="dataset", local_dir=sys.argv[1]))
"""


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with running_hub() as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    for name, content in {
        "README.md": b"# Pumps\n",
        "data/train.parquet": b"rows" * 99,
        "corpus/corpus.parquet": b"text" * 99,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def environment(hub: FakeHub, tmp_path: Path, **more: str) -> dict[str, str]:
    own = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    return {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_PROGRESS_BARS": "1", **own, **more}


def python(code: str, env: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=600, check=False)


def test_what_is_sent_comes_back_the_same_and_the_same_again_is_no_commit(hub: FakeHub, folder: Path, tmp_path: Path) -> None:
    env = environment(hub, tmp_path)
    sent = python(SEND, env, folder, "private")
    assert sent.returncode == 0, sent.stderr
    found = hub.repositories["datasets", "org/pumps"]
    assert found.private and found.commits == [sent.stdout.strip()]
    pulled = python(PULL, env, tmp_path / "pulled")
    assert pulled.returncode == 0, pulled.stderr
    assert {name: (tmp_path / "pulled" / name).read_bytes() for name, _ in files_of(folder)} == {
        name: (folder / name).read_bytes() for name, _ in files_of(folder)
    }

    again = python(SEND, env, folder, "private")
    assert again.stdout.strip() == sent.stdout.strip() and len(found.commits) == 1 and len(hub.uploads) == 2

    (folder / "corpus" / "corpus.parquet").unlink()  # as with --no-chunks: what was sent before is taken back
    assert python(SEND, env, folder, "private").returncode == 0
    assert sorted(found.files) == ["README.md", "data/train.parquet"]

    found.private = False
    refused = python(SEND, env, folder, "private")
    assert refused.stderr.strip() == "The dataset org/pumps exists and is public. Give --public, or another name."


def test_a_mistake_with_the_hub_is_one_line(hub: FakeHub, folder: Path, tmp_path: Path) -> None:
    wrong = python(SEND, environment(hub, tmp_path, HF_TOKEN="hf_wrong"), folder, "private")
    assert wrong.stderr.strip().endswith("(HTTP 401). Set HF_TOKEN to a token that may.") and "\n" not in wrong.stderr.strip()
    offline = python(SEND, environment(hub, tmp_path, HF_HUB_OFFLINE="1"), folder, "private")
    assert offline.stderr.strip().startswith("HF_HUB_OFFLINE is set")
    assert hub.repositories == {}


def test_an_upload_that_was_killed_loses_nothing_and_doubles_nothing(hub: FakeHub, folder: Path, tmp_path: Path) -> None:
    for number in range(6):
        (folder / "data" / f"part{number}.parquet").write_bytes(bytes([number]) * 1000)
    env = environment(hub, tmp_path)
    for arrived in (2, 5):
        hub.most_uploads = arrived
        with subprocess.Popen([sys.executable, "-c", SEND, str(folder), "private"], env=env) as process:
            until = time.monotonic() + 300
            while len(hub.uploads) < arrived and time.monotonic() < until:
                time.sleep(0.02)
            process.kill()
        hub.cut.set()
        hub.cut = threading.Event()
        assert hub.repositories["datasets", "org/pumps"].files == {}
    hub.most_uploads = None
    last = python(SEND, env, folder, "private")
    assert last.returncode == 0, last.stderr
    found = hub.repositories["datasets", "org/pumps"]
    assert found.files == {name: (folder / name).read_bytes() for name, _ in files_of(folder)}
    assert len(found.commits) == 1 and len(set(hub.uploads)) == len(hub.uploads) == 8


def test_what_will_be_sent_is_said_first(folder: Path) -> None:
    said = what_is_sent(files_of(folder), "org/pumps", "dataset", True, ["With the texts."])
    assert said.splitlines()[0] == "To the dataset org/pumps on the Hub, private: 3 files, 800 bytes."
    assert "corpus/corpus.parquet" in said and said.endswith("With the texts.")
    assert "PUBLIC" in what_is_sent(files_of(folder), "org/pumps", "dataset", False, [])


def test_a_target_is_a_folder_or_a_repository() -> None:
    assert (hub_id("hf:org/pumps"), hub_id("out/pumps")) == ("org/pumps", None)
    with pytest.raises(InputError, match="expected hf:OWNER/NAME"):
        hub_id("hf:pumps")
