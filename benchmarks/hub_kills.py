"""kill -9 at random moments of an upload to a Hub on loopback: is anything lost, half visible, or there twice?

    python benchmarks/hub_kills.py [--kills 20] [--files 40] [--seed 1]

The real client sends a dataset to a server that speaks the Hub's API. It is killed again and again, each time after some more
of the files have arrived; the server loses what was on its way. After each kill nothing may be visible. Then it runs undisturbed:
all files have to be there, byte for byte, in one commit, and no file may have arrived twice. Last, all is pulled and compared.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from finetrieve.registry.hub_upload import files_of  # noqa: E402
from tests.fakes.hub import TOKEN, FakeHub, running_hub  # noqa: E402

REPOSITORY = "org/pumps"
SEND = """
import sys
from pathlib import Path
from finetrieve.registry.hub_upload import send_folder
print(send_folder(Path(sys.argv[1]), sys.argv[2], "dataset", True, "Dataset").commit)
"""
PULL = """
import sys
from huggingface_hub import snapshot_download
snapshot_download(sys.argv[2], repo_type="dataset", local_dir=sys.argv[1])
"""
PATIENCE = 600.0
"""Seconds for one step."""


def main() -> None:
    """Prints a line per kill, and what was lost or doubled; exits with 1 where something was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    generator = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as home, running_hub() as hub:
        folder = write_dataset(Path(home) / "dataset", args.files, generator)
        env = environment(hub, Path(home))
        visible = sum(kill_once(hub, folder, env, number, args, generator) for number in range(1, args.kills + 1))
        hub.most_uploads = None
        started = time.monotonic()
        subprocess.run([sys.executable, "-c", SEND, str(folder), REPOSITORY], env=env, check=True, capture_output=True)
        print(f"undisturbed: {time.monotonic() - started:.1f} s, {len(hub.uploads)} large files arrived in all")
        subprocess.run([sys.executable, "-c", PULL, f"{home}/pulled", REPOSITORY], env=env, check=True, capture_output=True)
        sent = {name: (folder / name).read_bytes() for name, _ in files_of(folder)}
        found = hub.repositories["datasets", REPOSITORY]
        pulled = {name: path.read_bytes() for name in sent if (path := Path(home) / "pulled" / name).is_file()}
        lost = sum(found.files.get(name) != data or pulled.get(name) != data for name, data in sent.items())
        more, doubled = len(set(found.files) - set(sent)), len(hub.uploads) - len(set(hub.uploads))
        print(
            f"{args.kills} kills: {lost} of {len(sent)} files lost or changed, {more} too many, {doubled} sent twice, "
            f"{visible} times half visible, {len(found.commits)} commit"
        )
        if lost or more or doubled or visible or len(found.commits) != 1:
            sys.exit(1)


def write_dataset(folder: Path, n_files: int, generator: random.Random) -> Path:
    """Writes a dataset's folder of so many large files, and some small ones."""
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("# Pumps\n", encoding="utf-8")
    for number in range(n_files):
        (folder / "data" / f"train-{number:05d}.parquet").write_bytes(generator.randbytes(20_000))
    return folder


def environment(hub: FakeHub, home: Path) -> dict[str, str]:
    """Returns an environment in which the Hub is the one on loopback."""
    own = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(home / "hf"), "HF_HUB_DISABLE_XET": "1"}
    return {**os.environ, **own, "PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


def kill_once(
    hub: FakeHub, folder: Path, env: dict[str, str], number: int, args: argparse.Namespace, generator: random.Random
) -> bool:
    """Kills one upload after some more files have arrived; returns whether anything was visible afterwards."""
    share = max(1, (args.files - 1) // args.kills)
    before = len(hub.uploads)
    hub.most_uploads = min(args.files - 1, before + generator.randint(0, 2 * share))
    with subprocess.Popen([sys.executable, "-c", SEND, str(folder), REPOSITORY], env=env, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + PATIENCE
        while (len(hub.uploads) < hub.most_uploads or not begun(hub)) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(generator.random() * 0.2)
        process.kill()
    hub.cut.set()  # what was on its way is lost
    hub.cut = threading.Event()
    found = hub.repositories.get(("datasets", REPOSITORY))
    visible = bool(found and found.files)
    said = "visible" if visible else "nothing is visible"
    print(f"kill {number}: {len(hub.uploads) - before} files arrived, {len(hub.uploads)} in all; {said}", flush=True)
    return visible


def begun(hub: FakeHub) -> bool:
    """Returns whether the upload has come as far as making the repository."""
    return ("datasets", REPOSITORY) in hub.repositories


if __name__ == "__main__":
    main()
