"""`--dry-run`: reads and cuts the documents as a run would, and says what generation would ask; no ZenML, no LLM."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial

from finetrieve.app.config import Config
from finetrieve.app.preflight import check
from finetrieve.app.run_time import time_line
from finetrieve.core.corpus import Corpus
from finetrieve.core.errors import InputError
from finetrieve.core.numbers import counted
from finetrieve.generation.generation_state import response_cache_directory
from finetrieve.generation.settings import GenerationSettings
from finetrieve.own_data.imitation import with_real_queries
from finetrieve.own_data.matching import ChunkFinder
from finetrieve.own_data.pair_files import read_pairs
from finetrieve.own_data.query_files import read_queries
from finetrieve.own_data.settings import GradeSettings, PairSettings, QuerySettings

_FEWEST_CHUNKS = 3
"""One each to train on, to choose by and to test on."""
_KEPT = 0.6
"""Share of the queries asked for that are written, pass the filters and are trained on."""


def dry_run_text(pipeline: str, config: Config) -> str:
    """Returns what a run of `pipeline` would ask an LLM, how long the run may take, what it lacks, and which words of the
    documents become chunks; needs no key.

    Raises:
        InputError: The pipeline generates nothing, or an input cannot be used.
    """
    if pipeline not in ("generate", "retrain"):
        raise InputError(f"--dry-run shows what generation would ask; '{pipeline}' generates nothing. Use generate or retrain.")
    check(pipeline, config, None, asks=False)
    generation = with_real_queries(config.generation, config.query_logs, config.seed)

    from finetrieve.corpus.chunking import build_corpus
    from finetrieve.corpus.sources.registry import read_source
    from finetrieve.retrieval.base_model import load_tokenizer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # distilabel's import warns about what pydantic has deprecated
        from finetrieve.generation.estimate import beyond_budget, dry_run, estimate_text
        from finetrieve.own_data.grades import estimate_grades

    read = read_source(config.source)
    corpus, report = build_corpus(read, config.chunks, load_tokenizer(config.training.base_model))
    chunks = list(corpus.chunk_rows())
    state = f" ({read.version})" if read.version else ""
    lines = [f"{counted(len(read.documents), 'document')} read{state}.", *(f"  {line}" for line in report.skipped_lines())]
    parts = [dry_run(chunks, generation, config.seed), "\n".join(lines)]
    if pipeline == "retrain":
        parts.append("\n".join([*_pairs_lines(config.pairs, corpus), *map(_queries_line, config.query_logs)]))
        for item, grades in _graded(config):
            estimate = estimate_grades(item, chunks, response_cache_directory(generation))
            parts += [estimate_text(f"Grades of '{item.label}'", grades.generator, grades.base_url, estimate)]
            parts += beyond_budget(grades.budget, [estimate])
        parts += _training_lines(config, len(chunks))
        on_top = " An LLM's answers come on top." if _graded(config) or any(item.asks_llm for item in generation.recipes) else ""
        parts += [time_line(chunks, _expected_queries(config, len(chunks)), config.training) + on_top]
    parts += ["\n".join(report.words.lines())] if report.words else []
    return "\n\n".join([*(part for part in parts if part), *_missing(generation, config)])


def _pairs_lines(sets: Sequence[PairSettings], corpus: Corpus) -> list[str]:
    if not sets:
        return []
    finder = ChunkFinder(corpus)
    return [_pairs_line(item, finder) for item in sets]


def _pairs_line(item: PairSettings, finder: ChunkFinder) -> str:
    """Returns how many pairs a set has, and how many of them a chunk answers; what is on the Hub is not fetched."""
    if item.path is None:
        return f"Pairs '{item.label}': on the Hub, read when the run starts."
    pairs = [label for label in read_pairs(item) if label.score > 0]
    matched = sum(bool(finder.find(label)[1]) for label in pairs)
    line = f"Pairs '{item.label}': {counted(len(pairs), 'pair')} read, of which {matched:,} match a chunk."
    if matched:
        return line
    ends = "their texts would be trained on as they are" if item.unmatched == "keep" else "a run would stop"
    return f"{line} Warning: none does, so {ends}. Give the documents that the pairs are about with --docs."


def _queries_line(item: QuerySettings) -> str:
    _, report = read_queries(item)
    n_personal = sum(report.personal_data.values())
    personal = f"; {counted(n_personal, 'row')} left out for personal data" if n_personal else ""
    kept = counted(report.queries, "different query", "different queries")
    return f"Queries '{item.label}': {counted(report.rows, 'row')} read, {kept} kept{personal}."


def _expected_queries(config: Config, n_chunks: int) -> int:
    per_chunk = sum(getattr(recipe, "queries_per_chunk", 1) for recipe in config.generation.recipes)
    return round(n_chunks * per_chunk * _KEPT)


def _training_lines(config: Config, n_chunks: int) -> list[str]:
    training = config.training
    seeds = f", from {training.seeds} seeds each" if training.seeds > 1 else ""
    steps = f"{counted(training.max_steps, 'step')} of {training.batch_size:,} queries with '{training.base_model}'{seeds}"
    lines = [f"Training: at most {steps}."]
    if n_chunks < _FEWEST_CHUNKS and not config.evaluation.eval_sets:
        lines.append(
            f"Nothing could say whether the model is better: {counted(n_chunks, 'chunk')}, too few to hold any out. "
            "Give more documents, or questions of people with --eval-set."
        )
    return lines


def _graded(config: Config) -> list[tuple[QuerySettings, GradeSettings]]:
    return [(item, item.grades) for item in config.query_logs if item.grades is not None]


def _missing(generation: GenerationSettings, config: Config) -> list[str]:
    """Returns a line for each LLM that could not be asked from here: its client library or its key is missing."""
    checks: list[Callable[[], None]] = [partial(recipe.check, generation.engine) for recipe in generation.recipes]
    lines = []
    for check_one in [*checks, *(grades.check for _, grades in _graded(config))]:
        try:
            check_one()
        except InputError as error:
            lines.append(f"Before a run: {error}")
    return lines
