"""How long a run takes, reckoned from how fast this machine reads: a guess, with a wide range.

`python benchmarks/times.py` measures the two ratios that stand here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from finetrieve.core.numbers import counted
from finetrieve.core.rows import Chunk, embedded_text
from finetrieve.retrieval.speed import Speed, is_on_this_machine, measure_speed
from finetrieve.training.settings import TrainingSettings

STEP_RATIO = 6.0
"""What a training step takes, over what reading its chunks once takes: queries and lay questions stand beside them, the
backward pass is two more, and the untrained model reads them too."""
PASSES = 3.0
"""Times that a run reads the whole corpus: the untrained and the trained model, and what is scored and stored beside."""
FIXED_TOKENS = 220_000
"""Read in every run, whatever the corpus: our own lay questions with their passages, and the dev questions."""
STARTING_SECONDS = 25.0
"""Imports, ZenML's steps and the report, on a CPU core of its own."""
RANGE = (0.2, 2.0)
"""The least and the most, as shares of the guess; wide, since the ratios were not held against a free machine yet."""
_TEXTS = 64
"""That are read to measure."""


@dataclass(frozen=True)
class Work:
    """What a run has to read, in tokens of one pass forward."""

    steps: int
    training: float
    corpus: float

    def seconds(self, speed: Speed) -> tuple[float, float]:
        """Returns the seconds of the training, and those of everything else."""
        rest = (self.corpus + FIXED_TOKENS) / speed.tokens_per_second + STARTING_SECONDS
        return self.training / speed.tokens_per_second, rest


def work_of(n_chunks: int, mean_tokens: float, n_queries: int, settings: TrainingSettings) -> Work:
    """Returns what a run over a corpus has to read.

    Args:
        n_chunks: Of the corpus.
        mean_tokens: Per chunk, as the model reads it.
        n_queries: To train on.
        settings: Of the training.
    """
    batch = max(1, min(settings.batch_size, n_chunks))
    per_epoch = math.ceil(max(1, n_queries) / (batch * settings.queries_at_once))
    steps = settings.seeds * min(settings.max_steps, max(1, round(per_epoch * settings.epochs)))
    training = steps * batch * min(mean_tokens, settings.max_tokens) * STEP_RATIO
    if settings.learning_curve:
        training *= 1.75  # once more with a half of the queries, and with a quarter
    return Work(steps, training, PASSES * n_chunks * mean_tokens)


def time_line(chunks: Sequence[Chunk], n_queries: int, settings: TrainingSettings) -> str:
    """Returns the sentence on how long a run takes, after reading some chunks for two seconds; nothing is fetched for it."""
    if not chunks:
        return ""
    if not is_on_this_machine(settings.base_model):
        return f"Time: not reckoned, since '{settings.base_model}' is not on this machine yet; a run fetches it."
    step = max(1, len(chunks) // _TEXTS)
    speed = measure_speed(settings.base_model, [embedded_text(chunk) for chunk in chunks[::step][:_TEXTS]], settings.max_tokens)
    mean = sum(chunk.n_tokens for chunk in chunks) / len(chunks)
    return reckoned(work_of(len(chunks), mean, n_queries, settings), speed)


def reckoned(work: Work, speed: Speed) -> str:
    """Returns the guess in words, with its range and what it rests on."""
    training, rest = work.seconds(speed)
    total = training + rest
    low, high = (total * share for share in RANGE)
    return (
        f"Time: a guess of {duration(total)}, probably {duration(low)} to {duration(high)}, of which {duration(training)} for "
        f"{counted(work.steps, 'step')} of training. Reckoned from the {speed.tokens_per_second:,.0f} "
        f"tokens that this machine ({speed.device}) just read in a second, with whatever else it is doing."
    )


def duration(seconds: float) -> str:
    """Returns a duration as people say it: `40 s`, `7 min`, `2.5 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds)):,} s"
    return f"{seconds / 60:,.0f} min" if seconds < 5_400 else f"{seconds / 3600:,.1f} h"
