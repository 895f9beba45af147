"""What the report says of how the model was made: documents, queries, filters, split and training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from finetrieve.core.curation_report import CurationReport, FilterReport
from finetrieve.core.generation_report import GenerationReport
from finetrieve.core.html import clean, one_line
from finetrieve.core.languages import language_name
from finetrieve.core.numbers import UNKNOWN, count, counted, known
from finetrieve.core.snippet import snippet
from finetrieve.core.split_report import SplitReport
from finetrieve.core.training_record import Guard, GuardDifference, LearningPoint, TrainingRecord
from finetrieve.corpus.report import CorpusReport, DocumentsWithoutChunks, DuplicateCounts, TokenCounts, WordlessRuns, Words
from finetrieve.evaluation.formats import arm_name, duration, percent, points, points_span, score
from finetrieve.evaluation.result import direction
from finetrieve.reporting.charts import Axis, BarRow, Series, axis_of, bars, lines
from finetrieve.reporting.report_details import RejectedQuery, SampleQuery
from finetrieve.reporting.report_diversity import diversity_view

REASONS = 8
"""Reasons for skipping that are listed; the others are summed."""
STYLES = 14
SAMPLES = 12
SPLIT_SIDES = ("train", "dev", "test")
CURVE_POINTS = 120
ENOUGH = 0.005
"""nDCG@10 that the last pairs must have brought for more of them to be worth it."""
LANGUAGES = 5
"""Named of a corpus, at most."""
LABEL_LENGTH = 18
"""Characters that fit at the left of a bar."""

Fact = dict[str, str]


def corpus_view(corpus: CorpusReport) -> dict[str, Any] | None:
    """Returns what was read, what was skipped and why, and what became of it."""
    skipped = Counter(corpus.skipped).most_common()
    facts = [
        _fact("Documents", corpus.documents, clean(corpus.version, 200)),
        _fact("Skipped", sum(number for _, number in skipped) if skipped else None),
        _fact("Chunks", corpus.chunks, _languages(corpus.languages)),
        *_token_facts(corpus.tokens),
        *_duplicate_facts(corpus.duplicates),
        *_empty_facts(corpus.documents_without_chunks),
        *_wordless_facts(corpus.wordless),
        *_word_facts(corpus.words),
    ]
    facts = [fact for fact in facts if fact]
    rest = sum(number for _, number in skipped[REASONS:])
    reasons = [{"reason": clean(reason, 200), "count": count(number)} for reason, number in skipped[:REASONS]]
    if rest:
        reasons.append({"reason": "other reasons", "count": count(rest)})
    return {"facts": facts, "reasons": reasons} if facts else None


def _fact(label: str, number: Any, detail: str = "") -> Fact:
    return {"label": label, "value": count(number), "detail": detail} if known(number) else {}


def _languages(chunks: Mapping[str, int]) -> str:
    """Returns how many chunks are in which language, unless all are English."""
    if not set(chunks) - {"en"}:
        return ""
    return ", ".join(f"{count(number)} {language_name(code)}" for code, number in list(chunks.items())[:LANGUAGES])


def _token_facts(tokens: TokenCounts | None) -> list[Fact]:
    if tokens is None:
        return []
    limits = f"{count(tokens.min)} to {count(tokens.max)}"
    return [_fact("Tokens per chunk", tokens.median, limits), _fact("Tokens", tokens.total)]


def _duplicate_facts(duplicates: DuplicateCounts | None) -> list[Fact]:
    if duplicates is None:
        return []
    detail = f"{count(duplicates.exact)} exact, {count(duplicates.near)} near"
    return [_fact("Duplicate chunks left out", duplicates.exact + duplicates.near, detail)]


def _word_facts(words: Words | None) -> list[Fact]:
    if words is None or not words.total:
        return []
    reasons = [f"{count(number)} {clean(reason, 80)}" for reason, number in words.removed.items()]
    return [_fact("Words in chunks", words.kept, f"of {count(words.total)}; not: {', '.join(reasons) or 'none'}")]


def _empty_facts(empty: DocumentsWithoutChunks | None) -> list[Fact]:
    return [_fact("Documents without text", empty.count)] if empty and empty.count else []


def _wordless_facts(runs: WordlessRuns | None) -> list[Fact]:
    if runs is None or not runs.documents:
        return []
    return [
        _fact(
            "Characters without words left out",
            runs.characters,
            f"encoded files and the like, in {counted(runs.documents, 'document')}",
        )
    ]


# 1. Queries.


def generation_view(generation: GenerationReport, samples: Sequence[SampleQuery]) -> dict[str, Any] | None:
    """Returns how many queries were written, how they ask, and some of them."""
    per_chunk = generation.queries_per_chunk
    facts = [
        _fact("Queries written", generation.queries, "" if per_chunk is None else f"{per_chunk:.1f} per chunk"),
        _fact("Chunks with none", generation.chunks_without_query, _languages(generation.languages_without_query)),
        *_several_facts(generation),
        *_asked_facts(generation),
    ]
    facts = [fact for fact in facts if fact]
    styles = list(generation.styles.items())[:STYLES]
    shown = [
        {
            "query": one_line(sample.query, 200),
            "style": _words(sample.style),
            "place": " > ".join(one_line(words, 100) for words in (sample.title, sample.section) if words),
            "text": snippet(sample.text, 180, sample.query),
        }
        for sample in samples[:SAMPLES]
    ]
    if not (facts or styles or shown):
        return None
    diversity = diversity_view(generation.diversity)
    return {"facts": facts, "picture": _styles_picture(styles), "samples": shown, "diversity": diversity}


def _several_facts(generation: GenerationReport) -> list[Fact]:
    """Returns how many queries need several chunks, and how large the graphs are along which they were asked."""
    several = [_fact("Queries that need several chunks", generation.several_chunks)] if generation.several_chunks else []
    graphs = [
        _fact(
            "Links between chunks",
            graph.edges,
            f"{one_line(label, 40)}: {counted(graph.nodes, 'chunk')}, {counted(graph.components, 'part')}, "
            f"{counted(graph.alone, 'chunk')} alone",
        )
        for label, graph in generation.graphs.items()
    ]
    return [*several, *graphs]


def _asked_facts(generation: GenerationReport) -> list[Fact]:
    """Returns what asking an LLM took."""
    writers = [one_line(name, 60) for name in generation.generators if not name.startswith("rules ")]
    if not writers:
        return []
    requests = sum(usage.requests for usage in generation.asked.values())
    tokens = sum(usage.input_tokens + usage.output_tokens for usage in generation.asked.values())
    cost = f", cost {generation.cost:.2f}" if generation.cost else ""
    failed = sum(generation.failures.values())
    return [
        _fact("Requests to an LLM", requests, f"{', '.join(writers)}; {count(tokens)} tokens{cost}"),
        *([_fact("Failed requests", failed)] if failed else []),
    ]


def _words(name: str) -> str:
    return one_line(name.replace("_", " "), 40)


def _styles_picture(styles: Sequence[tuple[str, int]]) -> Markup | str:
    if not styles:
        return ""
    most = max(number for _, number in styles) or 1
    rows = [BarRow(clean(_words(name), LABEL_LENGTH), number / most, count(number)) for name, number in styles]
    return bars("Queries by the way they ask", rows, "plain")


# 2. Filters and split.


def filters_view(filters: CurationReport, rejects: Sequence[RejectedQuery]) -> dict[str, Any] | None:
    """Returns the funnel with the keep rate of each filter, and rejects with their reasons."""
    shown = [
        {
            "filter": _words(reject.filter),
            "query": one_line(reject.query, 200),
            "reason": one_line(reject.reason, 240),
        }
        for reject in rejects[:SAMPLES]
    ]
    return {"picture": _funnel(filters.root), "rejects": shown} if filters.root or shown else None


def _funnel(filters: Mapping[str, FilterReport]) -> Markup | str:
    if not filters:
        return ""
    start = next(iter(filters.values())).n_queries
    whole = max(1, start)
    rows = [BarRow("Written", 1.0, count(start))]
    for name, found in filters.items():
        label = clean(_words(name).capitalize(), LABEL_LENGTH)
        kept = f"{count(found.kept)} ({percent(found.rate)})"
        rows.append(BarRow(label, found.kept / whole, kept, min(1.0, found.n_queries / whole)))
    return bars("Queries left after each filter, and the share that it kept", rows, "finetuned")


def split_view(split: SplitReport) -> dict[str, Any] | None:
    """Returns how many of everything stand on each side."""
    tables = {name: found for name, found in split if isinstance(found, Mapping) and found}
    sides = [side for side in SPLIT_SIDES if any(side in found for found in tables.values())]
    if not sides:
        return None
    rows = [
        {"label": _words(name).capitalize(), "cells": [count(found.get(side, 0)) for side in sides]}
        for name, found in tables.items()
    ]
    return {"sides": sides, "rows": rows, "unit": split.sentence}


# 3. Training.


def training_view(training: TrainingRecord) -> dict[str, Any] | None:
    """Returns the curves of a training, its size, and what dev chose."""
    pictures = [found for found in (_loss_curve(training), _dev_curve(training), _averaging_curve(training)) if found]
    batches = f"batches of {count(training.batch_size)}" if training.batch_size else ""
    batches += f", from {count(len(training.seeds))} seeds each" if batches and training.seeds else ""
    facts = [
        _fact("Training pairs", training.n_pairs),
        _fact("Steps", training.steps, batches),
        _fact("Lists ordered by the teacher", training.n_teacher_lists or None, one_line(training.teacher, 60)),
        {"label": "Time", "value": duration(training.seconds), "detail": _where(training)},
    ]
    facts = [fact for fact in facts if fact and fact["value"] != UNKNOWN]
    more_pairs = learning_view(training.learning_curve)
    if not (pictures or facts or more_pairs):
        return None
    return {"facts": facts, "pictures": pictures, "chosen": _chosen(training), "more_pairs": more_pairs}


def _where(training: TrainingRecord) -> str:
    return ", ".join(one_line(word, 30) for word in (training.device, training.precision) if word)


def _chosen(training: TrainingRecord) -> str:
    if training.chosen is None:
        return ""
    share = training.chosen.base_share
    averaged = f"averaged with {percent(share)} of the base model's weights" if share else "not averaged with the base model"
    if share and training.untitled and training.dev_is not in ("human", "own"):
        averaged += ", of which more stays where most texts have neither a title nor a heading"
    who = {
        "human": "Questions of people (dev) chose",
        "own": "Pairs of your own (dev) chose",
        "generated": "Generated dev queries chose",
        "none": "Without dev queries:",
    }
    chooser = who.get(str(training.dev_is), "Dev chose")
    if training.seeds:
        steps = ", ".join(f"step {count(found.step)} of seed {found.seed}" for found in training.seeds)
        n_seeds = count(len(training.seeds))
        return f"{chooser} a checkpoint of each of {n_seeds} trainings ({steps}); the mean of their weights is {averaged}."
    return f"{chooser} the checkpoint of step {count(training.chosen.step)}, {averaged}."


def _loss_curve(training: TrainingRecord) -> dict[str, Any] | None:
    found = _mean_points([(float(point.step), point.loss) for point in training.loss])
    if len(found) < 2:
        return None
    x_axis, y_axis = axis_of((x for x, _ in found), low=0.0), axis_of(y for _, y in found)
    title = "Training loss by step"
    return {"title": title, "picture": lines(title, [Series("loss", found, "plain", dots=False)], x_axis, y_axis)}


def _dev_curve(training: TrainingRecord) -> dict[str, Any] | None:
    found = [(float(point.step), point.ndcg) for point in training.dev]
    return _dev_picture("nDCG@10 on dev by step", found, axis_of((x for x, _ in found), low=0.0))


def _averaging_curve(training: TrainingRecord) -> dict[str, Any] | None:
    found = sorted((point.base_share, point.ndcg) for point in training.averaging if point.ndcg is not None)
    shares = [share for share, _ in found]
    around = axis_of(shares)
    axis = Axis(around.low, around.high, tuple(shares))
    return _dev_picture("nDCG@10 on dev by share of the base model's weights", found, axis, [percent(share) for share in shares])


def _dev_picture(
    title: str, found: Sequence[tuple[float, float]], x_axis: Axis, words: Sequence[str] | None = None
) -> dict[str, Any] | None:
    if len(found) < 2:
        return None
    return {"title": title, "picture": lines(title, [Series("dev", found, "finetuned")], x_axis, _dev_axis(found), words)}


def _dev_axis(found: Sequence[tuple[float, float]]) -> Axis:
    """Returns an axis of two points at least, so that chance does not look like a fall."""
    middle = (min(y for _, y in found) + max(y for _, y in found)) / 2
    return axis_of([middle - 0.01, middle + 0.01, *(y for _, y in found)], low=0.0, high=1.0, ticks=5)


def _mean_points(found: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Returns at most `CURVE_POINTS` points, each the mean of its neighbours."""
    size = max(1, -(-len(found) // CURVE_POINTS))
    groups = [found[start : start + size] for start in range(0, len(found), size)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


# 4. More pairs, and what was forgotten.


def learning_view(curve: Sequence[LearningPoint]) -> dict[str, Any] | None:
    """Returns what the model scored when it was trained on a part of the pairs, and what more of them would do."""
    found = {
        arm: sorted((float(point.n_pairs), point.arms[arm]) for point in curve if arm in point.arms)
        for arm in ("finetuned", "late_finetuned")
    }
    series = [Series(arm_name(arm), points, arm) for arm, points in found.items() if len(points) > 1]
    if not series:
        return None
    x_axis = axis_of((x for item in series for x, _ in item.points), low=0.0)
    picture = lines("nDCG@10 by training pairs", series, x_axis, _dev_axis([point for item in series for point in item.points]))
    return {
        "sentence": _learning_sentence(series[-1].mark, series[-1].points),
        "picture": picture,
        "keys": [{"label": item.label, "mark": item.mark} for item in series],
    }


def _learning_sentence(arm: str, found: Sequence[tuple[float, float]]) -> str:
    (fewer, before), (most, after) = found[-2:]
    gain = after - before
    change = f"From {count(fewer)} to {count(most)} pairs '{arm_name(arm)}' changed by {points(gain)} points"
    return (
        f"{change}: more queries are likely to help." if gain > ENOUGH else f"{change}: more of the same queries would do little."
    )


def guard_view(guard: Guard | None) -> dict[str, Any] | None:
    """Returns what the base model and the trained one score on lay questions about other documents, and what that means."""
    named = {"dense": "Dense", "late": "Late"}
    rows = [_guard_row(name, guard.ndcg[way]) for way, name in named.items() if way in guard.ndcg] if guard else []
    if guard is None or not rows:
        return None
    meaning = (
        "Training cost general understanding: where people ask in words of their own, the model may do worse than before."
        if guard.fell
        else "No clear fall: what the base model understands beyond these documents was kept."
    )
    asked = counted(guard.n_queries, "question") if guard.n_queries is not None else ""
    return {"rows": rows, "sentence": one_line(guard.sentence, 400), "meaning": meaning, "questions": asked}


def _guard_row(name: str, found: GuardDifference) -> dict[str, str]:
    delta = found.finetuned - found.base
    return {
        "label": name,
        "before": score(found.base),
        "after": score(found.finetuned),
        "delta": points(delta),
        "interval": points_span(found.low, found.high),
        "class": direction(found.low, found.low, found.high),
    }
