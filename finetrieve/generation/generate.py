"""Writes queries for chunks: one distilabel pipeline with a step per recipe, guarded, and its answers as rows."""

from __future__ import annotations

import itertools
import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from finetrieve.core.errors import InputError
from finetrieve.core.progress import Progress
from finetrieve.core.rows import Chunk, Triplet
from finetrieve.core.tables import RowFile, Rows
from finetrieve.generation.assemble import Answers, Collected, Fates, collected, fates
from finetrieve.generation.chunk_context import write_passages
from finetrieve.generation.distilabel_guard import guarded_run
from finetrieve.generation.generation_report import generation_report
from finetrieve.generation.llm.response_cache import AnswerCache, answers_directory, failure_scope
from finetrieve.generation.mixing import kept, thinned
from finetrieve.generation.recipes.registry import Workplace, step_of
from finetrieve.generation.run_resources import AT_OFFICE
from finetrieve.generation.run_state import Ledger, Tally
from finetrieve.generation.settings import GenerationSettings, RulesRecipe, TripletRecipe, label_of

_POLL_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """What generation leaves behind."""

    triplets: pa.Table
    """Of `Triplet`; like the rejects memory-mapped from a file that is gone with the last who holds it."""
    rejects: pa.Table
    """Of `Reject`."""
    report: dict[str, Any]
    tallies: dict[str, Tally]
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
        tables, tallies = _pipeline_answers(chunks, settings, seed, scratch, on_progress, dict(key_envs or {}))
        answers = {label: Answers(table, chunks.num_rows) for label, table in tables.items()}
        _check_failures(fates(answers, settings), settings)
        found = collected(chunks, answers, settings, scratch)
        triplets, places = _mixed(found, settings, scratch)
        # What rules found in the cache is left out of the report: the same queries give the same report.
        asking = [recipe.label for recipe in settings.recipes if isinstance(recipe, TripletRecipe)]
        asked = {label: tallies.get(label, Tally()) for label in asking}
        report = generation_report(chunks, triplets, places, found, asked)
        return GenerationResult(triplets, found.rejects.table(), report, tallies)


def _mixed(found: Collected, settings: GenerationSettings, scratch: Path) -> tuple[pa.Table, NDArray[np.uint64]]:
    """Returns the rows that stay, and the places of their chunks; what is thinned out goes to the rejects."""
    places = np.array(found.chunks, dtype=np.uint64)
    stays = kept(found.triplets, settings)
    if stays.all():
        return found.triplets, places
    mixed = RowFile(scratch / "mixed.arrow", Triplet)
    mixed.extend(itertools.compress(Rows(found.triplets, Triplet), stays))
    found.rejects.extend(thinned(found.triplets, stays))
    found.dropped["mixing"] += int((~stays).sum())
    return mixed.table(), places[stays]


def _pipeline_answers(
    chunks: pa.Table,
    settings: GenerationSettings,
    seed: int,
    scratch: Path,
    on_progress: Progress | None,
    key_envs: dict[str, str],
) -> tuple[dict[str, pa.Table], dict[str, Tally]]:
    """Returns recipe label -> its answers as `Answers` takes them, memory-mapped, and the counts of each recipe."""
    labels = [label_of(recipe) for recipe in settings.recipes]
    if not chunks.num_rows:
        nothing = pa.table({"passage": pa.array([], pa.int64()), "answer": pa.array([], pa.string())})
        return dict.fromkeys(labels, nothing), {}
    with guarded_run(scratch) as directory:
        if any(isinstance(recipe, TripletRecipe) for recipe in settings.recipes):
            AnswerCache(answers_directory(settings)).close()  # whatever is wrong with it is said before anything is asked
        ledger = Ledger.create(directory / "ledger.sqlite")
        source = directory / "passages.arrow"
        write_passages(source, Rows(chunks, Chunk))
        total = sum(chunks.num_rows * _asked_per_passage(recipe) for recipe in settings.recipes)
        with _pipeline(directory, ledger.path, source, chunks.num_rows, settings, seed, key_envs) as pipeline:
            try:
                _tell_of_interrupts(pipeline, ledger.path)
                with _watched(ledger, total, on_progress):
                    distiset = pipeline.run(use_cache=False)
            except Exception:
                _check_stopped(ledger, settings, total)  # what a step said of it says more
                raise
        tallies = ledger.by_recipe()
        _check_stopped(ledger, settings, total)
        ledger.close()
        tables = {label: distiset["default" if len(labels) == 1 else label]["train"].data.table for label in labels}
    return tables, tallies


@contextmanager
def _pipeline(
    directory: Path,
    ledger: Path,
    source: Path,
    passages: int,
    settings: GenerationSettings,
    seed: int,
    key_envs: dict[str, str],
) -> Iterator[Any]:
    """Yields the distilabel pipeline with its steps, on this machine or on a Ray cluster."""
    from finetrieve.generation.chunk_reader import ReadPassages

    answers = answers_directory(settings)
    with ExitStack() as stack:
        if settings.engine == "ray":
            from finetrieve.generation.ray_cluster import ray_generation, replicas

            keys = _keys(settings, key_envs)
            pipeline = stack.enter_context(ray_generation(settings.ray_address, directory, ledger, answers, source, keys))
            place = Workplace(AT_OFFICE, AT_OFFICE, AT_OFFICE, settings.budget, key_envs)
            shared = replicas(passages)
        else:
            from distilabel.pipeline import Pipeline

            pipeline = Pipeline(name="finetrieve-generation", cache_dir=directory / "pipeline")
            place = Workplace(str(ledger), str(answers), str(source), settings.budget, key_envs)
            shared = 1
        with pipeline:
            read = ReadPassages(name="passages", passages=passages, use_cache=False)
            for recipe in settings.recipes:
                step = step_of(recipe, seed, place)
                step.resources.replicas = shared if isinstance(recipe, RulesRecipe) else 1
                read.connect(step)
        yield pipeline


def _tell_of_interrupts(pipeline: Any, ledger: Path) -> None:
    """Lets an interrupt of this process alone stop the others too: distilabel leaves that to a terminal, which tells all."""
    install = pipeline._handle_keyboard_interrupt

    def installed() -> Any:
        before = install()
        stop = signal.getsignal(signal.SIGINT)

        def interrupted(number: int, frame: Any) -> None:
            Ledger(ledger).stop("interrupted", "interrupted")
            # distilabel's handler takes a lock that the code it interrupted may hold.
            if callable(stop) and not pipeline._stop_called_lock.locked():
                stop(number, frame)
            else:
                threading.Thread(target=pipeline._stop, daemon=True).start()

        signal.signal(signal.SIGINT, interrupted)
        return before

    pipeline._handle_keyboard_interrupt = installed


def _keys(settings: GenerationSettings, key_envs: dict[str, str]) -> dict[str, str]:
    """Returns environment variable -> key, for the recipes that ask a provider."""
    from finetrieve.generation.recipes.llm_triplets import key_variable

    asking = [recipe for recipe in settings.recipes if isinstance(recipe, TripletRecipe)]
    variables = {key_variable(recipe, key_envs.get(recipe.label)) for recipe in asking}
    return {name: os.environ[name] for name in variables if name is not None and name in os.environ}


def _asked_per_passage(recipe: RulesRecipe | TripletRecipe) -> int:
    return recipe.queries_per_chunk if isinstance(recipe, TripletRecipe) else 1


_WHAT_TO_DO = {
    "key": "Check the key: the provider refused it.",
    "model": "Check model and base_url: the provider knows no such model.",
    "quota": "The account has no credit left, or its limit is reached: raise it at the provider.",
    "unreachable": "Check base_url, and that the server runs.",
    "request": "The provider refuses every request as it is: check the recipe's model, base_url and sampling.",
    "server": "The provider answers with errors only: try again later.",
    "rate_limit": "Lower the recipe's concurrency, or set requests_per_minute and tokens_per_minute to the account's limits.",
    "budget": "Raise generation.budget, or set its when_spent to go_on to train on what there is.",
}


def _check_stopped(ledger: Ledger, settings: GenerationSettings, total: int) -> None:
    """Raises what ended the run early, if something did."""
    stopped = ledger.stopped()
    if stopped is None:
        return
    kind, reason = stopped
    if kind == "interrupted":
        raise KeyboardInterrupt
    if kind == "budget" and settings.budget.when_spent == "go_on":
        return
    if kind == "input":
        raise InputError(reason)
    if kind == "error":
        raise RuntimeError(reason)
    done = ledger.total().done
    what = "The budget for answers is spent" if kind == "budget" else "Generation stopped"
    raise InputError(
        f"{what}: {reason}. {_WHAT_TO_DO[kind]} {done:,} of {total:,} queries are answered and kept: "
        "the same command asks only for the rest."
    )


def _check_failures(found: Fates, settings: GenerationSettings) -> None:
    """Notes a run with failed requests, and raises when they are too many."""
    if found.failed or found.unasked:
        cache = AnswerCache(answers_directory(settings))
        cache.note_failed_run(failure_scope(settings))
        cache.close()
    asked = found.failed + found.answered
    if found.failed > settings.max_failed_share * asked:
        why = ", ".join(f"{kind} {number:,}" for kind, number in found.kinds.most_common())
        raise InputError(
            f"{found.failed:,} of {asked:,} requests failed ({why}), more than generation.max_failed_share "
            f"{settings.max_failed_share:g}. The others are kept: the same command asks only for these. "
            f"Most often: {found.reasons.most_common(1)[0][0]}."
        )


@contextmanager
def _watched(ledger: Ledger, total: int, on_progress: Progress | None) -> Iterator[None]:
    """Tells `on_progress` what the ledger says, from another thread."""
    if on_progress is None:
        yield
        return
    done = threading.Event()
    path = ledger.path

    def watch() -> None:
        mine = Ledger(path)  # SQLite's connections stay in their thread
        while not done.wait(_POLL_SECONDS):
            _tell(mine.total(), total, on_progress)
        mine.close()

    thread = threading.Thread(target=watch, name="generation-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    _tell(ledger.total(), total, on_progress)


def _tell(tally: Tally, total: int, on_progress: Progress) -> None:
    parts = []
    if tally.requests or tally.hits:
        share = tally.hits / tally.done if tally.done else 0.0
        parts = [f"{share:.0%} from the cache"]
    if tally.requests:
        parts.append(f"{tally.input_tokens + tally.output_tokens:,} tokens")
    if tally.money:
        left = tally.money / max(tally.done - tally.hits, 1) * (total - tally.done)
        parts.append(f"cost {tally.money:.4f}, about {left:.4f} to come")
    if tally.failed:
        parts.append(f"{tally.failed:,} failed")
    on_progress(min(tally.done, total), total, ", ".join(parts))
