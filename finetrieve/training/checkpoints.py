"""Where an unfinished training lies, so that the same training goes on and no other one picks it up."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from finetrieve.core.code_hash import code_hash, plugin_hash
from finetrieve.core.errors import InputError
from finetrieve.core.failures import is_disk_full
from finetrieve.core.paths import user_cache
from finetrieve.core.rows import Chunk, Pair, RankedChunk, embedded_text
from finetrieve.training.losses import LOSSES
from finetrieve.training.settings import TrainingSettings

COMPLETE = "complete.json"
"""Written into a checkpoint after everything else: its files and their sizes."""
ABANDONED_SECONDS = 7 * 24 * 3600
_RUN_NAME = re.compile(r"run-[0-9a-f]{16}")
_LIBRARIES = ("torch", "transformers", "sentence-transformers")


def checkpoint_root() -> Path:
    """Returns the folder for unfinished trainings, under the user's cache directory."""
    return user_cache() / "finetrieve" / "checkpoints"


def training_fingerprint(
    pairs: Sequence[Pair],
    chunks: Sequence[Chunk],
    settings: TrainingSettings,
    base_model: str,
    seed: int,
    ranking_lists: Sequence[RankedChunk] = (),
) -> str:
    """Returns a hash of everything that decides the result of a training: data, settings, base model, code, libraries."""
    from finetrieve.retrieval.base_model import model_fingerprint

    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(json.dumps([pair.query, pair.chunk_id, pair.split, pair.negative_query]).encode())
    for chunk in chunks:
        digest.update(json.dumps([chunk.id, chunk.doc_id, embedded_text(chunk)]).encode())
    for row in ranking_lists:
        digest.update(json.dumps([row.query, row.chunk_id, row.target, row.source]).encode())
    code = code_hash(Path(__file__).parent / "train.py") + plugin_hash([LOSSES.get(settings.loss)])
    models = [model_fingerprint(model) for model in (base_model, settings.teacher) if model is not None]
    versions = {name: metadata.version(name) for name in _LIBRARIES}
    digest.update(json.dumps([settings.model_dump(), models, seed, code, versions]).encode())
    return digest.hexdigest()


@contextmanager
def run_folder(root: Path, fingerprint: str) -> Iterator[Path]:
    """Yields the folder of one training, locked; after a success it is deleted, after a failure it stays.

    Folders of other trainings that nobody has touched for a week are deleted.

    Raises:
        InputError: If another process is at this very training, or the folder cannot be written.
    """
    folder = root / f"run-{fingerprint[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _delete_abandoned(root, keep=folder)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise InputError(f"Checkpoints cannot be written to '{root}': {error.strerror}.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"Another process is at this very training (checkpoints in '{folder}'); wait for it.") from None
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


def _delete_abandoned(root: Path, keep: Path) -> None:
    for folder in root.iterdir():
        if folder != keep and _RUN_NAME.fullmatch(folder.name) and time.time() - folder.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def mark_complete(checkpoint: Path) -> None:
    """Records that a checkpoint was written to its end."""
    sizes = {path.name: path.stat().st_size for path in checkpoint.iterdir() if path.is_file() and path.name != COMPLETE}
    write_atomically(checkpoint / COMPLETE, json.dumps(sizes).encode())


def last_checkpoint(folder: Path) -> Path | None:
    """Returns the newest whole checkpoint, or None; those that were cut off while being written are deleted."""
    whole = list[tuple[int, Path]]()
    for checkpoint in folder.glob("checkpoint-*"):
        step = checkpoint.name.removeprefix("checkpoint-")
        if step.isdigit() and _is_whole(checkpoint):
            whole.append((int(step), checkpoint))
        else:
            shutil.rmtree(checkpoint, ignore_errors=True)
    return max(whole)[1] if whole else None


def _is_whole(checkpoint: Path) -> bool:
    try:
        sizes = json.loads((checkpoint / COMPLETE).read_bytes())
        return bool(sizes) and all((checkpoint / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file so that it is there whole or not at all."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


@contextmanager
def clear_disk_errors(place: Path) -> Iterator[None]:
    """Turns a full disk into one line."""
    try:
        yield
    except Exception as error:
        if isinstance(error, InputError) or not is_disk_full(error):
            raise
        raise InputError(f"No space left in '{place}' for the model. Free some and run again: training goes on.") from None
