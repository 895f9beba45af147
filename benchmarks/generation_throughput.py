"""Rows per second from an LLM service: ours beside distilabel's as the ZenML guide configures it.

`python benchmarks/generation_throughput.py [--rows 2000] [--concurrency 32 64] [--latency 1.0]`

Both ask the same loopback server with the same latency distribution, one after the other, about the same chunks. C concurrent
requests that take L seconds on average cannot give more than C/L rows per second; L is what the server measured, since a busy
machine answers later than it was told to.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from generation_runs import KEY_VARIABLE, chunks, llm_settings

from finetrieve.core.rows import Chunk
from finetrieve.core.tables import to_table
from finetrieve.generation.distilabel_guard import guarded_run
from finetrieve.generation.generate import generate
from tests.fakes.llm import LlmServer

GUIDE_BATCH = 10
GUIDE_CONTEXT = "The text is a chunk from technical documentation. It may include code snippets and logs."


@dataclass(frozen=True)
class Timing:
    """A run, timed from outside and by the server."""

    rows: int
    seconds: float
    """Wall time of the call, with the start of distilabel's processes."""
    asking: float
    """From the first request to the last answer."""
    latency: float
    """Mean seconds from a request's arrival to its answer."""
    most_in_flight: int


def timed(server: LlmServer, run: Callable[[], int]) -> Timing:
    """Returns how long a run took that returns its number of rows."""
    server.reset()
    started = time.perf_counter()
    rows = run()
    seconds = time.perf_counter() - started
    stats = server.stats()
    return Timing(rows, seconds, stats["seconds"], stats["mean_latency"], stats["most_in_flight"])


def guide(server: LlmServer, rows: list[Chunk], scratch: Path) -> int:
    """Returns how many triplets distilabel makes by itself, configured as in the ZenML guide."""
    with guarded_run(scratch) as directory:
        from distilabel.models import OpenAILLM
        from distilabel.pipeline import Pipeline
        from distilabel.steps import LoadDataFromDicts
        from distilabel.steps.tasks import GenerateSentencePair

        with Pipeline(name="guide", cache_dir=directory / "pipeline") as pipeline:
            load = LoadDataFromDicts(data=[{"anchor": chunk.text} for chunk in rows])
            llm = OpenAILLM(model="gpt-4o", base_url=server.openai, api_key=server.key)
            pairs = GenerateSentencePair(
                triplet=True, action="query", llm=llm, input_batch_size=GUIDE_BATCH, context=GUIDE_CONTEXT
            )
            load >> pairs
        settings = {"llm": {"generation_kwargs": {"temperature": 0.7, "max_new_tokens": 512}}}
        made: list[dict[str, Any]] = pipeline.run(parameters={pairs.name: settings}, use_cache=False)["default"][
            "train"
        ].to_list()
    return sum(row["positive"] is not None for row in made)


def ours(server: LlmServer, rows: list[Chunk], scratch: Path, concurrency: int) -> int:
    """Returns how many triplets the recipe `triplet` makes."""
    settings = llm_settings(server.openai, scratch / "answers", concurrency=concurrency)
    return len(generate(to_table(rows, Chunk), settings, 0, scratch / "cache").queries)


def main() -> None:
    """Prints a row for the guide and one per concurrency."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--guide-rows", type=int, default=100, help="fewer, since it is slower: rows/s does not depend on them")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--latency", type=float, default=1.0, help="mean seconds")
    arguments = parser.parse_args()
    print(f"log-normal latency, mean {arguments.latency} s, sigma 0.5")
    names = ("rows", "s", "rows/s", "asking s", "rows/s", "L", "C/L", "of C/L", "x guide", "in flight")
    print(f"{'':24}" + "".join(f"{name:>10}" for name in names))
    with LlmServer(latency=arguments.latency, answers="quick") as server:
        os.environ[KEY_VARIABLE] = server.key
        with tempfile.TemporaryDirectory(prefix="finetrieve-throughput-") as scratch:
            baseline = timed(server, partial(guide, server, list(chunks(arguments.guide_rows)), Path(scratch) / "guide"))
            _show(f"distilabel, batch {GUIDE_BATCH}", baseline, GUIDE_BATCH, baseline)
            for concurrency in arguments.concurrency:
                directory = Path(scratch) / str(concurrency)
                found = timed(server, partial(ours, server, list(chunks(arguments.rows)), directory, concurrency))
                _show(f"triplet, concurrency {concurrency}", found, concurrency, baseline)


def _show(name: str, timing: Timing, concurrency: int, baseline: Timing) -> None:
    rate, asking = timing.rows / timing.seconds, timing.rows / timing.asking
    limit = concurrency / timing.latency
    faster = asking / (baseline.rows / baseline.asking)
    print(
        f"{name:24}{timing.rows:10}{timing.seconds:10.1f}{rate:10.1f}{timing.asking:10.1f}{asking:10.1f}"
        f"{timing.latency:10.2f}{limit:10.1f}{asking / limit:10.1%}{faster:10.1f}{timing.most_in_flight:10}",
        flush=True,
    )


if __name__ == "__main__":
    main()
