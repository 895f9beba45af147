"""Generates queries for chunks: one distilabel pipeline with a step per recipe, guarded, whose results become rows."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from finetrieve.core.errors import InputError
from finetrieve.core.generation_report import GenerationReport, Usage
from finetrieve.core.progress import Progress
from finetrieve.core.rows import Chunk
from finetrieve.core.tables import Rows
from finetrieve.generation.assemble import RecipeResults, RequestOutcomes, assemble_rows, count_outcomes
from finetrieve.generation.chunk_context import write_contexts
from finetrieve.generation.corpus_facts import find_facts
from finetrieve.generation.distilabel_guard import guarded_run
from finetrieve.generation.generation_report import generation_report
from finetrieve.generation.generation_state import failure_scope, response_cache_directory
from finetrieve.generation.llm.response_cache import ResponseCache
from finetrieve.generation.recipes.base import TOPIC, RunResources
from finetrieve.generation.run_progress import check_stopped, reported
from finetrieve.generation.run_state import RunState
from finetrieve.generation.settings import GenerationSettings


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """What generation leaves behind."""

    queries: pa.Table
    """Of `GeneratedQuery`; like the rejects memory-mapped from a file that is gone with the last who holds it."""
    rejects: pa.Table
    """Of `Reject`."""
    written: pa.Table
    """Of `WrittenRow`, likewise: what is no query for a chunk."""
    links: pa.Table
    """Of `ChunkLink`, likewise: the graph of the recipes that make one."""
    report: GenerationReport
    usage: dict[str, Usage]
    """Recipe label -> what it did."""


def generate(
    chunks: pa.Table,
    settings: GenerationSettings,
    seed: int,
    cache_dir: Path,
    on_progress: Progress | None = None,
    key_envs: Mapping[str, str] | None = None,
) -> GenerationResult:
    """Returns queries for the chunks, in the chunks' order, best first, with what was dropped and the counts.

    Memory does not grow with the corpus but for some dozen bytes per row: what was read and written is in files.

    Args:
        chunks: The corpus, of `Chunk`; best memory-mapped.
        settings: Recipes, answer cache, budget.
        seed: Of every draw.
        cache_dir: Where distilabel and the results may be written; empty again afterwards.
        on_progress: Told the counts from another thread while the pipeline runs.
        key_envs: Recipe label -> environment variable with its key, for keys that were not in the environment before.

    Raises:
        InputError: A provider cannot be used, too many requests failed, or the budget is spent. What was answered is kept.
        KeyboardInterrupt: The run was interrupted. What was answered is kept.
        RuntimeError: The pipeline failed, or was called outside the main thread.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="generation-", dir=cache_dir) as name:
        scratch = Path(name)
        facts = find_facts(Rows(chunks, Chunk), settings, seed)
        tables, usage = _run_pipeline(chunks, facts, settings, seed, scratch, on_progress, dict(key_envs or {}))
        results = {label: RecipeResults(table, chunks.num_rows) for label, table in tables.items()}
        _check_failures(count_outcomes(results, settings), settings)
        rows = assemble_rows(chunks, results, settings, scratch)
        # What rules found in the cache is left out of the report: the same queries give the same report.
        asking = [recipe.row_label for recipe in settings.recipes if recipe.asks_llm]
        used = {label: usage.get(label, Usage()) for label in asking}
        report = generation_report(chunks, rows, used, facts.get(TOPIC, ()))
        return GenerationResult(rows.queries, rows.rejects, rows.written, rows.links, report, usage)


def _run_pipeline(
    chunks: pa.Table,
    facts: Mapping[str, Sequence[str]],
    settings: GenerationSettings,
    seed: int,
    scratch: Path,
    on_progress: Progress | None,
    key_envs: dict[str, str],
) -> tuple[dict[str, pa.Table], dict[str, Usage]]:
    """Returns recipe label -> its results as `RecipeResults` takes them, memory-mapped, and the usage of each recipe."""
    labels = [recipe.row_label for recipe in settings.recipes]
    if not chunks.num_rows or not labels:
        nothing = pa.table({"chunk": pa.array([], pa.int64()), "result": pa.array([], pa.string())})
        return dict.fromkeys(labels, nothing), {}
    with guarded_run(scratch) as directory:
        responses = response_cache_directory(settings)
        if any(recipe.asks_llm for recipe in settings.recipes):
            ResponseCache(responses).close()  # whatever is wrong with it is reported before anything is sent
        run_state = RunState.create(directory / "run_state.sqlite")
        contexts = directory / "chunks.arrow"
        write_contexts(contexts, Rows(chunks, Chunk), facts)
        resources = RunResources(
            run_state=str(run_state.path),
            responses=str(responses),
            chunks=str(contexts),
            budget=settings.budget.model_dump(),
            key_envs=key_envs,
        )
        total = sum(chunks.num_rows * recipe.requests_per_chunk for recipe in settings.recipes)
        with _build_pipeline(directory, chunks.num_rows, settings, seed, resources) as pipeline:
            try:
                _pass_on_interrupts(pipeline, run_state.path)
                with reported(run_state, total, on_progress):
                    distiset = pipeline.run(use_cache=False)
            except Exception:
                check_stopped(run_state, settings.budget, total)  # the reason that a step gave says more
                raise
        usage = run_state.by_recipe()
        check_stopped(run_state, settings.budget, total)
        run_state.close()
        tables = {label: distiset["default" if len(labels) == 1 else label]["train"].data.table for label in labels}
    return tables, usage


@contextmanager
def _build_pipeline(
    directory: Path, chunks: int, settings: GenerationSettings, seed: int, resources: RunResources
) -> Iterator[Any]:
    """Yields the distilabel pipeline with its steps, on this machine or on a Ray cluster."""
    from finetrieve.generation.recipes.chunk_step import NumberChunks

    with ExitStack() as stack:
        if settings.engine == "ray":
            from finetrieve.generation.ray_cluster import ray_generation, remote_resources, replicas

            variables = {name for recipe in settings.recipes for name in recipe.key_variables(resources.key_envs)}
            keys = {name: os.environ[name] for name in variables if name in os.environ}
            pipeline = stack.enter_context(ray_generation(settings.ray_address, directory, resources, keys))
            resources, shared = remote_resources(resources), replicas(chunks)
        else:
            from distilabel.pipeline import Pipeline

            pipeline, shared = Pipeline(name="finetrieve-generation", cache_dir=directory / "pipeline"), 1
        with pipeline:
            numbers = NumberChunks(name="chunks", chunks=chunks, use_cache=False)
            for recipe in settings.recipes:
                step = recipe.step(seed, resources)
                step.resources.replicas = 1 if recipe.asks_llm else shared
                numbers.connect(step)
        yield pipeline


def _pass_on_interrupts(pipeline: Any, run_state: Path) -> None:
    """Lets an interrupt of this process alone stop the others too: distilabel leaves that to a terminal, which tells all."""
    install = pipeline._handle_keyboard_interrupt

    def installed() -> Any:
        before = install()
        stop = signal.getsignal(signal.SIGINT)

        def interrupted(number: int, frame: Any) -> None:
            RunState(run_state).stop("interrupted", "interrupted")
            # distilabel's handler takes a lock that the code it interrupted may hold.
            if callable(stop) and not pipeline._stop_called_lock.locked():
                stop(number, frame)
            else:
                threading.Thread(target=pipeline._stop, daemon=True).start()

        signal.signal(signal.SIGINT, interrupted)
        return before

    pipeline._handle_keyboard_interrupt = installed


def _check_failures(outcomes: RequestOutcomes, settings: GenerationSettings) -> None:
    """Notes a run with failed requests, and raises when they are too many."""
    if outcomes.failed or outcomes.unasked:
        cache = ResponseCache(response_cache_directory(settings))
        cache.note_failed_run(failure_scope(settings))
        cache.close()
    requests = outcomes.failed + outcomes.answered
    if outcomes.failed > settings.max_failed_share * requests:
        why = ", ".join(f"{kind} {number:,}" for kind, number in outcomes.kinds.most_common())
        raise InputError(
            f"{outcomes.failed:,} of {requests:,} requests failed ({why}), more than generation.max_failed_share "
            f"{settings.max_failed_share:g}. The others are kept: the same command asks only for these. "
            f"Most often: {outcomes.reasons.most_common(1)[0][0]}."
        )
