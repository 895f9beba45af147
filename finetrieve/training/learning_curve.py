"""The learning curve: what dev scores when the model is trained on a part of the queries. Whether more of them would help."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from finetrieve.core.progress import Progress, reporter
from finetrieve.core.rows import Chunk, Pair
from finetrieve.core.training_record import LearningPoint
from finetrieve.retrieval.encoder import load_encoder
from finetrieve.training.checkpoints import write_atomically
from finetrieve.training.dev import DevSet, dev_set
from finetrieve.training.settings import TrainingSettings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

SHARES = (0.25, 0.5)
"""Of the chunks that are trained on, beside all of them."""


TrainPart = Callable[[Sequence[Pair], TrainingSettings, Path, Progress | None], Path]
"""Trains on pairs in a folder that is kept for nothing else, and returns the model's directory."""


def part_of(pairs: Sequence[Pair], share: float) -> list[Pair]:
    """Returns the training pairs of a share of their chunks, and all other pairs.

    A chunk is in or out by its hash: its queries stay together, and a smaller part lies within every larger one.
    """
    return [pair for pair in pairs if pair.split != "train" or _position(pair.chunk_id) < share]


def _position(chunk_id: str) -> float:
    """Returns a number from 0 to below 1 that has nothing to do with the one that splits off dev and test."""
    return int.from_bytes(hashlib.sha256(f"learning curve\0{chunk_id}".encode()).digest()[:8]) / 2**64


def train_on_parts(
    pairs: Sequence[Pair],
    chunks: Sequence[Chunk],
    settings: TrainingSettings,
    seed: int,
    folder: Path,
    train_part: TrainPart,
    on_progress: Progress | None = None,
) -> list[LearningPoint]:
    """Returns a point for each of SHARES, after training on it with the same settings.

    There are none where the settings do not want them, or without dev queries.

    Args:
        pairs: Of all sides, as for the whole training.
        chunks: The corpus.
        settings: Of the whole training.
        seed: Of the whole training.
        folder: Of the whole training: finished points are kept there, so that a crash costs none of them.
        train_part: Trains on a part, as the whole is trained.
        on_progress: Of the whole training: without it nothing is shown here either.
    """
    dev = dev_set(pairs, chunks, settings.dev_chunks, seed) if settings.learning_curve else None
    if dev is None:
        return []
    kept = folder / "learning_curve.json"
    found = _read(kept)
    for share in SHARES:
        part = part_of(pairs, share)
        if any(point.share == share for point in found) or not any(pair.split == "train" for pair in part):
            continue
        shown = reporter(f"Training on {share:.0%} of the queries") if on_progress else None
        alone = settings.model_copy(update={"learning_curve": False})
        with tempfile.TemporaryDirectory(prefix="part-", dir=folder) as scratch:
            model = load_encoder(train_part(part, alone, Path(scratch), shown), max_tokens=settings.max_tokens)
            found = [*found, point_of(share, part, dev, model)]
        write_atomically(kept, json.dumps([point.as_json() for point in found]).encode())
    return found


def point_of(share: float, pairs: Sequence[Pair], dev: DevSet, model: SentenceTransformer) -> LearningPoint:
    """Returns the point of a model that was trained on the `train` ones of `pairs`."""
    scores = dev.ndcg_by_way(model, late=True)
    arms = {"finetuned": scores["dense"], "late_finetuned": scores["late"]}
    return LearningPoint(share=share, n_pairs=sum(pair.split == "train" for pair in pairs), arms=arms)


def _read(path: Path) -> list[LearningPoint]:
    try:
        return [LearningPoint.model_validate(point) for point in json.loads(path.read_bytes())]
    except (OSError, ValueError):
        return []
