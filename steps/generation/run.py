"""Writes queries for chunks: one distilabel pipeline with a step per recipe, guarded, and its answers as rows."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from steps.errors import InputError
from steps.generation.answers import AnswerCache, answers_directory, failure_scope
from steps.generation.distilabel_guard import guarded_run
from steps.generation.ledger import Ledger, Tally
from steps.generation.mixing import mixed
from steps.generation.passages import Passage, passages
from steps.generation.places import AT_OFFICE
from steps.generation.recipes import Workplace, step_of
from steps.generation.settings import GenerationSettings, RulesRecipe, TripletRecipe, label_of
from steps.progress import Progress
from steps.rows import Chunk, Reject, Triplet

SHARED_BY_MOST = 3
"""A query that more chunks than this would answer is boilerplate ("How do I get started?") and trains nothing."""
REJECTS_PER_CHUNK = 5
"""Kept for reading, beside the failures, of which all are kept; the report counts all of them."""
RAW_CHARACTERS = 2000
"""Kept of an answer that could not be used."""
_POLL_SECONDS = 0.3

Answer = dict[str, Any]
"""What a recipe says of a passage: `queries` [{query, style, ...}] best first, `rejects` [[query, reason]],
`failures` [[raw, kind, reason]], `unasked` how many queries were not asked for any more."""


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """What generation leaves behind."""

    triplets: list[Triplet]
    rejects: list[Reject]
    report: dict[str, Any]
    tallies: dict[str, Tally]
    """Recipe label -> what it did."""


def generate(
    chunks: list[Chunk],
    settings: GenerationSettings,
    seed: int,
    cache_dir: Path,
    on_progress: Progress | None = None,
    key_envs: Mapping[str, str] | None = None,
) -> GenerationResult:
    """Returns queries for the chunks, in the chunks' order, best first, with what was dropped and the counts.

    Args:
        chunks: The corpus.
        settings: Recipes, answer cache, budget.
        seed: Of every draw.
        cache_dir: Where distilabel may write while it runs; empty again afterwards.
        on_progress: Told the counts from another thread while the pipeline runs.
        key_envs: Recipe label -> environment variable with its key, for keys that were not in the environment before.

    Raises:
        InputError: A provider cannot be used, too many requests failed, or the budget is spent. What was answered is kept.
        KeyboardInterrupt: The run was interrupted. What was answered is kept.
        RuntimeError: The pipeline failed, or was called outside the main thread.
    """
    if not chunks:
        return GenerationResult([], [], _report([], [], [], Counter(), {}), {})
    answers, tallies = _pipeline_answers(passages(chunks), settings, seed, cache_dir, on_progress, dict(key_envs or {}))
    _check_failures(answers, settings)
    triplets: list[Triplet] = []
    rejects: list[Reject] = []
    reasons: Counter[str] = Counter()
    for recipe in settings.recipes:
        written, dropped = _collect(chunks, answers[label_of(recipe)], recipe)
        triplets += written
        reasons.update(reject.filter for reject in dropped)
        rejects += _first_per_chunk(dropped, REJECTS_PER_CHUNK)
    triplets, thinned = mixed(triplets, settings)
    reasons.update(reject.filter for reject in thinned)
    # What rules found in the cache is left out of the report: the same queries give the same report.
    asked = {recipe.label: tallies.get(recipe.label, Tally()) for recipe in settings.recipes if isinstance(recipe, TripletRecipe)}
    return GenerationResult(triplets, rejects + thinned, _report(chunks, triplets, rejects, reasons, asked), tallies)


def _pipeline_answers(
    rows: list[Passage],
    settings: GenerationSettings,
    seed: int,
    cache_dir: Path,
    on_progress: Progress | None,
    key_envs: dict[str, str],
) -> tuple[dict[str, dict[str, Answer]], dict[str, Tally]]:
    """Returns recipe label -> chunk id -> answer, and the counts of each recipe."""
    with guarded_run(cache_dir) as directory:
        if any(isinstance(recipe, TripletRecipe) for recipe in settings.recipes):
            AnswerCache(answers_directory(settings)).close()  # whatever is wrong with it is said before anything is asked
        ledger = Ledger.create(directory / "ledger.sqlite")
        source = directory / "passages.jsonl"
        with source.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)
        total = sum(len(rows) * _asked_per_passage(recipe) for recipe in settings.recipes)
        with _pipeline(directory, ledger.path, source, len(rows), settings, seed, key_envs) as pipeline:
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
        labels = [label_of(recipe) for recipe in settings.recipes]
        tables = {label: distiset["default" if len(labels) == 1 else label]["train"].to_dict() for label in labels}
    return {label: _answers(table["chunk_id"], table["answer"], rows) for label, table in tables.items()}, tallies


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
    from steps.generation.read_passages import ReadPassages

    answers = answers_directory(settings)
    with ExitStack() as stack:
        if settings.engine == "ray":
            from steps.generation.on_ray import ray_generation, replicas

            keys = _keys(settings, key_envs)
            pipeline = stack.enter_context(ray_generation(settings.ray_address, directory, ledger, answers, source, keys))
            place, path = Workplace(AT_OFFICE, AT_OFFICE, settings.budget, key_envs), AT_OFFICE
            shared = replicas(passages)
        else:
            from distilabel.pipeline import Pipeline

            pipeline = Pipeline(name="finetrieve-generation", cache_dir=directory / "pipeline")
            place, path = Workplace(str(ledger), str(answers), settings.budget, key_envs), str(source)
            shared = 1
        with pipeline:
            read = ReadPassages(name="passages", path=path, use_cache=False)
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
    from steps.generation.triplet_step import key_variable

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


def _check_failures(answers: dict[str, dict[str, Answer]], settings: GenerationSettings) -> None:
    """Notes a run with failed requests, and raises when they are too many."""
    asked_recipes = [recipe for recipe in settings.recipes if isinstance(recipe, TripletRecipe)]
    kinds: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    asked = failed = unasked = 0
    for recipe in asked_recipes:
        for answer in answers[recipe.label].values():
            kinds.update(kind for _, kind, _ in answer["failures"])
            reasons.update(reason for _, _, reason in answer["failures"])
            unasked += answer["unasked"]
            failed += len(answer["failures"])
            asked += len(answer["failures"]) + len(answer["queries"])
    if failed or unasked:
        cache = AnswerCache(answers_directory(settings))
        cache.note_failed_run(failure_scope(settings))
        cache.close()
    if failed > settings.max_failed_share * asked:
        why = ", ".join(f"{kind} {number:,}" for kind, number in kinds.most_common())
        raise InputError(
            f"{failed:,} of {asked:,} requests failed ({why}), more than generation.max_failed_share "
            f"{settings.max_failed_share:g}. The others are kept: the same command asks only for these. "
            f"Most often: {reasons.most_common(1)[0][0]}."
        )


def _answers(ids: Sequence[str], answers: Sequence[str | None], rows: list[Passage]) -> dict[str, Answer]:
    # distilabel replaces a failed batch by None and goes on with a warning: here it must not pass for "no queries".
    failed = sum(answer is None for answer in answers) + len(rows) - len(ids)
    if failed:
        raise RuntimeError(f"distilabel lost {failed} of {len(rows)} passages; run with DISTILABEL_LOG_LEVEL=INFO to see why.")
    return {chunk_id: json.loads(answer) for chunk_id, answer in zip(ids, answers, strict=True) if answer is not None}


def _collect(
    chunks: list[Chunk], answers: dict[str, Answer], recipe: RulesRecipe | TripletRecipe
) -> tuple[list[Triplet], list[Reject]]:
    askers: dict[str, set[str]] = defaultdict(set)
    for chunk_id, answer in answers.items():
        for row in answer["queries"]:
            askers[row["query"].casefold()].add(chunk_id)
    label, generator = label_of(recipe), _generator(recipe)
    triplets, rejects = [], []
    for chunk in chunks:
        answer = answers[chunk.id]
        for number, (raw, kind, reason) in enumerate(answer.get("failures", [])):
            raw = raw[:RAW_CHARACTERS]
            row_id = _row_id(chunk, label, f"{number}\x1f{raw}")
            rejects.append(Reject(row_id, chunk.id, raw, "failure", f"{kind}: {reason}"))
        for query, reason in answer.get("rejects", []):
            rejects.append(_reject(chunk, label, query, "quality", reason))
        had: set[str] = set()
        for row in answer["queries"]:
            query, shared = row["query"], len(askers[row["query"].casefold()])
            if shared > SHARED_BY_MOST:
                reason = f"{shared} chunks ask it, at most {SHARED_BY_MOST} may"
                rejects.append(_reject(chunk, label, query, "boilerplate", reason))
            elif query.casefold() in had:
                rejects.append(_reject(chunk, label, query, "repeated", "the chunk has this query already"))
            elif len(had) < recipe.queries_per_chunk:
                had.add(query.casefold())
                triplets.append(_triplet(chunk, label, generator, row))
    return triplets, rejects


def _generator(recipe: RulesRecipe | TripletRecipe) -> str:
    if isinstance(recipe, TripletRecipe):
        return f"{recipe.provider}/{recipe.model}"
    from steps.generation.rules import VERSION

    return f"rules {VERSION}"


def _triplet(chunk: Chunk, label: str, generator: str, row: dict[str, Any]) -> Triplet:
    return Triplet(
        _row_id(chunk, label, row["query"]),
        chunk.id,
        row["query"],
        row.get("negative"),
        row["style"],
        label,
        generator,
        row.get("persona", ""),
        row.get("shortened", False),
    )


def _reject(chunk: Chunk, label: str, query: str, kind: str, reason: str) -> Reject:
    return Reject(_row_id(chunk, label, query), chunk.id, query, kind, reason)


def _row_id(chunk: Chunk, label: str, query: str) -> str:
    return hashlib.sha256("\x1f".join((chunk.id, label, query)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _first_per_chunk(rejects: list[Reject], limit: int) -> list[Reject]:
    seen: Counter[str] = Counter()
    kept = []
    for reject in rejects:
        seen[reject.chunk_id] += reject.filter != "failure"
        if reject.filter == "failure" or seen[reject.chunk_id] <= limit:
            kept.append(reject)
    return kept


def _report(
    chunks: list[Chunk], triplets: list[Triplet], rejects: list[Reject], reasons: Counter[str], tallies: dict[str, Tally]
) -> dict[str, Any]:
    asked = Counter(triplet.chunk_id for triplet in triplets)
    silent = [chunk for chunk in chunks if chunk.id not in asked]
    failures = Counter(reject.reason.split(":")[0] for reject in rejects if reject.filter == "failure")
    examples: dict[str, list[str]] = defaultdict(list)
    for triplet in triplets:
        if len(examples[triplet.style]) < 3:
            examples[triplet.style].append(triplet.query)
    return {
        "chunks": len(chunks),
        "queries": len(triplets),
        "queries_per_chunk": len(triplets) / len(chunks) if chunks else 0.0,
        "chunks_without_query": len(silent),
        "chunks_without_query_examples": [f"{chunk.title} | {chunk.text[:120]}" for chunk in silent[:5]],
        "chunks_shortened": len({triplet.chunk_id for triplet in triplets if triplet.chunk_shortened}),
        "styles": dict(Counter(triplet.style for triplet in triplets).most_common()),
        "personas": dict(Counter(triplet.persona for triplet in triplets if triplet.persona).most_common()),
        "recipes": dict(Counter(triplet.recipe for triplet in triplets).most_common()),
        "generators": dict(Counter(triplet.generator for triplet in triplets).most_common()),
        "dropped": dict(reasons.most_common()),
        "dropped_examples": [f"{reject.query!r}: {reject.reason}" for reject in rejects[:10]],
        "failures": dict(failures.most_common()),
        "cost": sum(tally.money for tally in tallies.values()),
        "asked": {label: asdict(tally) for label, tally in sorted(tallies.items())},
        "examples": dict(examples),
    }


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
