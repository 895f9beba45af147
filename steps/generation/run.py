"""Writes queries for chunks: one distilabel pipeline with a step per recipe, guarded, and its answers as rows."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from steps.generation.distilabel_guard import guarded_run
from steps.generation.passages import Passage, passages
from steps.generation.recipes import step_builder
from steps.generation.settings import GenerationSettings, Recipe
from steps.rows import Chunk, Reject, Triplet

SHARED_BY_MOST = 3
"""A query that more chunks than this would answer is boilerplate ("How do I get started?") and trains nothing."""
REJECTS_PER_CHUNK = 5
"""Kept for reading; the report counts all of them."""
_POLL_SECONDS = 0.3

Answer = dict[str, Any]
"""What a recipe says of a passage: `queries` [[query, style], ...] best first, `rejects` [[query, reason], ...], or `error`."""


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """What generation leaves behind."""

    triplets: list[Triplet]
    rejects: list[Reject]
    report: dict[str, object]


def generate(
    chunks: list[Chunk],
    settings: GenerationSettings,
    seed: int,
    cache_dir: Path,
    on_progress: Callable[[int, int], None] | None = None,
) -> GenerationResult:
    """Returns queries for the chunks, in the chunks' order, best first, with what was dropped and the counts.

    `on_progress` is told (done, total) from another thread while the pipeline runs.

    Raises:
        RuntimeError: The pipeline failed, or was called outside the main thread.
    """
    if not chunks:
        return GenerationResult([], [], _report([], [], [], Counter()))
    answers = _pipeline_answers(passages(chunks), settings, seed, cache_dir, on_progress)
    triplets: list[Triplet] = []
    rejects: list[Reject] = []
    reasons: Counter[str] = Counter()
    for recipe in settings.recipes:
        written, dropped = _collect(chunks, answers[recipe.name], recipe)
        triplets += written
        reasons.update(reject.filter for reject in dropped)
        rejects += _first_per_chunk(dropped, REJECTS_PER_CHUNK)
    return GenerationResult(triplets, rejects, _report(chunks, triplets, rejects, reasons))


def _pipeline_answers(
    rows: list[Passage],
    settings: GenerationSettings,
    seed: int,
    cache_dir: Path,
    on_progress: Callable[[int, int], None] | None,
) -> dict[str, dict[str, Answer]]:
    """Returns recipe name -> chunk id -> answer."""
    with guarded_run(cache_dir) as directory:
        from distilabel.pipeline import Pipeline

        from steps.generation.rules_step import ReadPassages

        source, progress = directory / "passages.jsonl", directory / "progress"
        source.write_text("".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        with Pipeline(name="finetrieve-generation", cache_dir=directory / "pipeline") as pipeline:
            read = ReadPassages(name="passages", path=str(source), use_cache=False)
            for recipe in settings.recipes:
                read.connect(step_builder(recipe.name)(recipe, seed, str(progress)))
        with _watched(progress, len(rows) * len(settings.recipes), on_progress):
            distiset = pipeline.run(use_cache=False)
        names = [recipe.name for recipe in settings.recipes]
        tables = {name: distiset["default" if len(names) == 1 else name]["train"].to_dict() for name in names}
    return {name: _answers(table["chunk_id"], table["answer"], rows) for name, table in tables.items()}


def _answers(ids: Sequence[str], answers: Sequence[str | None], rows: list[Passage]) -> dict[str, Answer]:
    # distilabel replaces a failed batch by None and goes on with a warning: here it must not pass for "no queries".
    failed = sum(answer is None for answer in answers) + len(rows) - len(ids)
    if failed:
        raise RuntimeError(f"distilabel lost {failed} of {len(rows)} passages; run with DISTILABEL_LOG_LEVEL=INFO to see why.")
    return {chunk_id: json.loads(answer) for chunk_id, answer in zip(ids, answers, strict=True) if answer is not None}


def _collect(chunks: list[Chunk], answers: dict[str, Answer], recipe: Recipe) -> tuple[list[Triplet], list[Reject]]:
    askers: dict[str, set[str]] = defaultdict(set)
    for chunk_id, answer in answers.items():
        for query, _ in answer.get("queries", []):
            askers[query.casefold()].add(chunk_id)
    triplets, rejects = [], []
    for chunk in chunks:
        answer = answers[chunk.id]
        if "error" in answer:
            rejects.append(_reject(chunk, recipe, "", "failure", answer["error"]))
        for query, reason in answer.get("rejects", []):
            rejects.append(_reject(chunk, recipe, query, "quality", reason))
        kept = 0
        for query, style in answer.get("queries", []):
            shared = len(askers[query.casefold()])
            if shared > SHARED_BY_MOST:
                rejects.append(
                    _reject(chunk, recipe, query, "boilerplate", f"{shared} chunks ask it, at most {SHARED_BY_MOST} may")
                )
            elif kept < recipe.queries_per_chunk:
                triplets.append(_triplet(chunk, recipe, query, style))
                kept += 1
    return triplets, rejects


def _triplet(chunk: Chunk, recipe: Recipe, query: str, style: str) -> Triplet:
    from steps.generation.rules import VERSION

    return Triplet(_row_id(chunk, recipe, query), chunk.id, query, None, style, recipe.name, f"rules {VERSION}")


def _reject(chunk: Chunk, recipe: Recipe, query: str, kind: str, reason: str) -> Reject:
    return Reject(_row_id(chunk, recipe, query), chunk.id, query, kind, reason)


def _row_id(chunk: Chunk, recipe: Recipe, query: str) -> str:
    return hashlib.sha256("\x1f".join((chunk.id, recipe.name, query)).encode()).hexdigest()[:16]


def _first_per_chunk(rejects: list[Reject], limit: int) -> list[Reject]:
    seen: Counter[str] = Counter()
    kept = []
    for reject in rejects:
        seen[reject.chunk_id] += 1
        if seen[reject.chunk_id] <= limit:
            kept.append(reject)
    return kept


def _report(chunks: list[Chunk], triplets: list[Triplet], rejects: list[Reject], reasons: Counter[str]) -> dict[str, object]:
    asked = Counter(triplet.chunk_id for triplet in triplets)
    silent = [chunk for chunk in chunks if chunk.id not in asked]
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
        "styles": dict(Counter(triplet.style for triplet in triplets).most_common()),
        "recipes": dict(Counter(triplet.recipe for triplet in triplets).most_common()),
        "dropped": dict(reasons.most_common()),
        "dropped_examples": [f"{reject.query!r}: {reject.reason}" for reject in rejects[:10]],
        "examples": dict(examples),
    }


@contextmanager
def _watched(progress: Path, total: int, on_progress: Callable[[int, int], None] | None) -> Iterator[None]:
    """Tells `on_progress` how far the workers are, by the size of the file they add a byte to."""
    if on_progress is None:
        yield
        return
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL_SECONDS):
            if progress.exists():
                on_progress(min(progress.stat().st_size, total), total)

    thread = threading.Thread(target=watch, name="generation-progress", daemon=True)
    thread.start()
    try:
        yield
        on_progress(total, total)
    finally:
        done.set()
        thread.join()
