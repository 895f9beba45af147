"""Trainings that differ in their seed alone, and the mean of their weights: one model that costs no more to use than one of them.

Source: Wortsman et al., "Model soups", ICML 2022, https://arxiv.org/abs/2203.05482.
"""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from finetrieve.core.logging import get_logger
from finetrieve.core.progress import Progress
from finetrieve.core.training_record import DevPoint, LossPoint, SeedPoint
from finetrieve.training.averaging import Weights
from finetrieve.training.checkpoints import write_atomically

logger = get_logger(__name__)

_WEIGHTS, _FINISHED = "weights.safetensors", "finished.json"


@dataclass(frozen=True)
class SeedTraining:
    """What the training from one seed left beside its weights."""

    seed: int
    step: int
    """Whose weights were taken."""
    loss: Sequence[LossPoint]
    dev: Sequence[DevPoint]

    @property
    def ndcg(self) -> float | None:
        """nDCG@10 on dev of the weights that were taken; None without dev queries."""
        return next((point.ndcg for point in self.dev if point.step == self.step), None)


TrainOne = Callable[[int, Path, Progress | None], tuple[SeedTraining, Weights]]
"""Trains from a seed in a folder of its own, from its last checkpoint if there is one."""


@dataclass(frozen=True)
class TunedWeights:
    """The mean of what all seeds gave."""

    weights: Weights
    trainings: Sequence[SeedTraining]

    @property
    def ndcg(self) -> float | None:
        """nDCG@10 on dev of the weights, where it is known: of a mean it is not."""
        return self.trainings[0].ndcg if len(self.trainings) == 1 else None

    @property
    def step(self) -> int:
        """The step whose weights were taken; of several trainings the last one."""
        return max(training.step for training in self.trainings)

    @property
    def seeds(self) -> list[SeedPoint]:
        """What the record says of each training; nothing where there is one alone."""
        several = self.trainings if len(self.trainings) > 1 else []
        return [SeedPoint(seed=training.seed, step=training.step, ndcg=training.ndcg) for training in several]

    @property
    def loss(self) -> list[LossPoint]:
        """The loss after each step, the mean over the trainings."""
        rows = zip(*(training.loss for training in self.trainings), strict=True)
        return [LossPoint(step=row[0].step, loss=_mean(point.loss for point in row)) for row in rows]

    @property
    def dev(self) -> list[DevPoint]:
        """nDCG@10 on dev whenever it was looked at, the mean over the trainings."""
        rows = zip(*(training.dev for training in self.trainings), strict=True)
        return [row[0].model_copy(update={"ndcg": _mean(point.ndcg for point in row)}) for row in rows]


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)


def train_seeds(train_one: TrainOne, seeds: Sequence[int], folder: Path, on_progress: Progress | None) -> TunedWeights:
    """Returns the mean of the weights that the trainings from all seeds gave.

    What a training gave is kept in the folder when it is finished: after a crash it is read, and the next one goes on.

    Args:
        train_one: The training.
        seeds: At least one.
        folder: Of the whole training; a single seed has it for its own.
        on_progress: Told (steps done, steps in all) of each training, and which of how many it is.
    """
    if len(seeds) == 1:
        training, weights = train_one(seeds[0], folder, on_progress)
        return TunedWeights(weights, [training])
    trainings = list[SeedTraining]()
    for number, seed in enumerate(seeds, start=1):
        own, which = folder / f"seed-{seed}", f"training {number} of {len(seeds)}"
        if kept := _read(own):
            logger.info(f"{which.capitalize()}, from seed {seed}, was finished before")
            trainings.append(kept)
            continue
        logger.info(f"{which.capitalize()}, from seed {seed} ...")
        own.mkdir(exist_ok=True)
        training, weights = train_one(seed, own, _saying(on_progress, which))
        _keep(own, training, weights)
        gc.collect()  # the trainer and its callbacks hold one another, and with them up to a GB of the frozen models' vectors
        trainings.append(training)
    return TunedWeights(mean_weights(load_file(folder / f"seed-{seed}" / _WEIGHTS) for seed in seeds), trainings)


def mean_weights(several: Iterable[Weights]) -> Weights:
    """Returns the mean of weights, of which two are in memory at a time; whole numbers come from the first ones."""
    iterator: Iterator[Weights] = iter(several)
    first = next(iterator)
    total = {name: weight.float() for name, weight in first.items() if weight.is_floating_point()}
    n_added = 1
    for weights in iterator:
        total = {name: weight + weights[name].float() for name, weight in total.items()}
        n_added += 1
    return {name: (total[name] / n_added).to(weight.dtype) if name in total else weight for name, weight in first.items()}


def _saying(on_progress: Progress | None, which: str) -> Progress | None:
    if on_progress is None:
        return None
    return lambda done, total, details="": on_progress(done, total, ", ".join(filter(None, (which, details))))


def _keep(folder: Path, training: SeedTraining, weights: dict[str, torch.Tensor]) -> None:
    """Keeps what a training gave, the mark that it is finished last, and deletes what it needed on the way."""
    write_atomically(folder / _WEIGHTS, save({name: weight.contiguous() for name, weight in weights.items()}))
    facts = asdict(training) | {name: [point.as_json() for point in getattr(training, name)] for name in ("loss", "dev")}
    write_atomically(folder / _FINISHED, json.dumps(facts).encode())
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name not in (_WEIGHTS, _FINISHED):
            path.unlink()


def _read(folder: Path) -> SeedTraining | None:
    try:
        facts = json.loads((folder / _FINISHED).read_bytes())
    except (OSError, ValueError):
        return None
    loss = [LossPoint.model_validate(point) for point in facts["loss"]]
    dev = [DevPoint.model_validate(point) for point in facts["dev"]]
    return SeedTraining(facts["seed"], facts["step"], loss, dev)
