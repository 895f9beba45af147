"""Times and costs of a retrain for 1,000, 10,000 and 100,000 chunks, reckoned from two things that are measured here.

`python benchmarks/times.py [DOCS] [--steps 3]` reads chunks of a folder (by default this project's docs/), trains a few steps on
them, prints how many tokens are read in a second and what a step takes beside reading its chunks once (`STEP_RATIO` of
`finetrieve/app/run_time.py`), and then the table. `--processor-time` counts the seconds of the processor instead of those of the
clock: on a busy machine, with OMP_NUM_THREADS=1, they are those of one free core. `--gpu-tokens` is what a card reads in a second
where none is here to be measured; `--cpu-price` and `--gpu-price` are per hour.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from finetrieve.app.run_time import PASSES, STEP_RATIO, duration, work_of
from finetrieve.core.rows import Chunk, Pair, embedded_text
from finetrieve.corpus.chunking import build_chunks
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.corpus.sources.registry import read_source, source_from_path
from finetrieve.retrieval.base_model import load_tokenizer
from finetrieve.retrieval.encoder import load_encoder
from finetrieve.retrieval.speed import Speed, measure_speed
from finetrieve.training.settings import TrainingSettings
from finetrieve.training.trainer import TrainingRun, fit, make_plan

SIZES = (1_000, 10_000, 100_000)
QUERIES_PER_CHUNK = 4
MEAN_TOKENS = 150.0
Clock = Callable[[], float]


def main() -> None:
    """Prints what was measured, and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("docs", nargs="?", type=Path, default=Path(__file__).parent.parent / "docs")
    parser.add_argument("--base-model", default="embedded")
    parser.add_argument("--steps", type=int, default=3, help="of training that are timed, after one that is not")
    parser.add_argument("--processor-time", action="store_true")
    parser.add_argument("--gpu-tokens", type=float, default=1_000_000.0, help="tokens a second that a GPU reads; not measured")
    parser.add_argument("--cpu-price", type=float, default=0.05, help="per core and hour")
    parser.add_argument("--gpu-price", type=float, default=2.5, help="per card and hour")
    asked = parser.parse_args()
    clock = time.process_time if asked.processor_time else time.perf_counter
    settings = TrainingSettings(base_model=asked.base_model)

    chunks = build_chunks(
        read_source(source_from_path(asked.docs)).documents, ChunkSettings(), load_tokenizer(asked.base_model)
    ).chunks
    speed = measure_speed(asked.base_model, [embedded_text(chunk) for chunk in chunks[:64]], settings.max_tokens, 5.0, clock)
    print(f"measured: {speed.tokens_per_second:,.0f} tokens read in a second ({speed.device}), {len(chunks):,} chunks")
    if asked.steps:
        step, tokens = time_step(chunks, settings, asked.steps, clock)
        ratio = step * speed.tokens_per_second / tokens
        print(f"measured: {step:.2f} s per step of training; {ratio:.1f} times reading its chunks once (used: {STEP_RATIO:g})")
    print("\n".join(table(speed, settings, asked.gpu_tokens, asked.cpu_price, asked.gpu_price)))


def time_step(chunks: Sequence[Chunk], settings: TrainingSettings, n_steps: int, clock: Clock) -> tuple[float, float]:
    """Returns the seconds of a step and the tokens of its chunks, cut as training cuts them; the first step warms up."""
    settings = settings.model_copy(update={"max_steps": n_steps + 1, "checkpoint_seconds": 1e9})
    pairs = [Pair(words, chunk.id, "train", "generated", "keywords") for chunk in chunks for words in _queries(chunk)]
    model = load_encoder(settings.base_model, settings.max_tokens)
    plan = make_plan(pairs, chunks, settings, model)
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        run = TrainingRun(Path(folder), None, plan, late=True)
        fit(model, pairs, chunks, settings, settings.base_model, 1, run, lambda _done, _all: ends.append(clock()))
    mean = sum(min(chunk.n_tokens, settings.max_tokens) for chunk in chunks) / len(chunks)
    return (ends[-1] - ends[0]) / (len(ends) - 1), min(plan.batch_size, len(chunks)) * mean


def _queries(chunk: Chunk) -> list[str]:
    """Returns stand-ins of the length of real queries; what they say does not change the time."""
    words = chunk.text.split()
    return [" ".join(words[start : start + 9]) for start in (0, 5, 10, 15)[: max(1, len(words) // 9)] if words[start:]]


def table(speed: Speed, settings: TrainingSettings, gpu_tokens: float, cpu_price: float, gpu_price: float) -> list[str]:
    """Returns the rows in Markdown; every time is reckoned, by one core as measured and by a card as it was said to be."""
    machines = (
        (f"this {speed.device}, {speed.tokens_per_second:,.0f} tokens/s", "measured rate", speed, cpu_price),
        (f"a GPU, {gpu_tokens:,.0f} tokens/s", "assumed rate", Speed(gpu_tokens, "cuda"), gpu_price),
    )
    lines = ["| chunks | machine | training | the rest | all | cost |", "|---|---|---|---|---|---|"]
    for size in SIZES:
        work = work_of(size, MEAN_TOKENS, size * QUERIES_PER_CHUNK, settings)
        for name, how, rate, price in machines:
            training, rest = work.seconds(rate)
            hours = (training + rest) / 3600
            cells = (f"{size:,}", f"{name} ({how})", *(duration(part) for part in (training, rest, training + rest)))
            lines.append(f"| {' | '.join(cells)} (reckoned) | {hours * price:.2f} (reckoned) |")
    lines.append("")
    lines.append(f"{MEAN_TOKENS:g} tokens per chunk, {QUERIES_PER_CHUNK} queries per chunk, {PASSES:g} passes over the corpus.")
    return lines


if __name__ == "__main__":
    main()
